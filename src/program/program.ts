import type { ProgramSource } from '../ir/backend.ts'
import { boolAttribute, integerAttribute } from '../ir/attributes.ts'
import type { Module } from '../ir/module.ts'
import { type TensorType, sameType } from '../ir/types.ts'
import { printModule } from '../text/print.ts'
import { type TreeStructure, leafPaths } from '../trace/tree.ts'
import type { TracedFunction } from './trace-function.ts'

/**
 * A lowered function: StableHLO with the nesting of its arguments and results. `Args` and `Result` are the TypeScript types of
 * the function that was traced.
 */
export class Program<Args extends readonly unknown[] = readonly unknown[], Result = unknown> implements ProgramSource {
  readonly name: string
  readonly module: Module
  readonly inputs: readonly TensorType[]
  readonly outputs: readonly TensorType[]
  readonly inputStructure: TreeStructure
  readonly outputStructure: TreeStructure
  /** Positions of the inputs whose memory the program may reuse for its results. */
  readonly donated: readonly number[]
  #text: string | undefined
  /** For types only. */
  declare readonly _types?: (args: Args) => Result

  constructor(name: string, traced: TracedFunction, donate: readonly (number | string)[] = []) {
    this.name = name
    this.module = traced.module
    this.inputs = traced.func.argumentTypes as TensorType[]
    this.outputs = traced.func.resultTypes as TensorType[]
    this.inputStructure = traced.inputs
    this.outputStructure = traced.outputs
    this.donated = markDonations(traced, donate)
  }

  /** Pretty StableHLO, without locations. The same program always gives the same text. */
  get text(): string {
    this.#text ??= printModule(this.module)
    return this.#text
  }

  /** The text with every op's scope and call site. */
  get textWithLocations(): string {
    return printModule(this.module, { locations: true })
  }

  /** Paths of the flat inputs: `[0].weights.w`. */
  get inputPaths(): string[] {
    return leafPaths(this.inputStructure)
  }
  get outputPaths(): string[] {
    return leafPaths(this.outputStructure)
  }
}

/**
 * Marks the donated inputs. Each is tied to a result of the same type, by preference the one with the same path, so that a
 * state that goes in and comes out keeps its memory; one without such a result is offered to the compiler.
 */
function markDonations(traced: TracedFunction, donate: readonly (number | string)[]): number[] {
  if (donate.length === 0) return []
  const paths = leafPaths(traced.inputs)
  const outputPaths = leafPaths(traced.outputs)
  const wanted = donate.map((entry) => (typeof entry === 'number' ? `[${entry}]` : entry))
  for (const prefix of wanted)
    if (!paths.some((path) => isUnder(path, prefix))) throw new TypeError(`donate: no input is under ${prefix}; inputs are ${paths.slice(0, 8).join(', ')}`)
  const donated = paths.flatMap((path, i) => (wanted.some((prefix) => isUnder(path, prefix)) ? [i] : []))
  const free = new Set(traced.func.resultTypes.keys())
  const types = traced.func.argumentTypes
  const tail = (path: string) => path.replace(/^\[\d+\]\.?/, '')
  const pair = new Map<number, number>()
  const match = (accept: (input: number, output: number) => boolean): void => {
    for (const input of donated) {
      if (pair.has(input)) continue
      for (const output of free)
        if (sameType(types[input], traced.func.resultTypes[output]) && accept(input, output)) {
          pair.set(input, output)
          free.delete(output)
          break
        }
    }
  }
  match((input, output) => tail(paths[input]) === tail(outputPaths[output]) && tail(paths[input]) !== '')
  match(() => true)
  for (const input of donated) {
    const output = pair.get(input)
    traced.func.argumentAttributes[input] = {
      ...traced.func.argumentAttributes[input],
      ...(output === undefined ? { 'jax.buffer_donor': boolAttribute(true) } : { 'tf.aliasing_output': integerAttribute(output, 'i32') }),
    }
  }
  return donated
}

const isUnder = (path: string, prefix: string): boolean =>
  path === prefix || (path.startsWith(prefix) && (path[prefix.length] === '.' || path[prefix.length] === '['))

