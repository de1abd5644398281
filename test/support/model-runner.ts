import type { DType } from '../../src/ir/dtypes.ts'
import { isFloat } from '../../src/ir/dtypes.ts'
import { HostArray } from '../../src/ir/host-array.ts'
import type { Tensor } from '../../src/ir/module.ts'
import { type TensorType, elementCount, tensorType } from '../../src/ir/types.ts'
import type { ModelOutput } from '../../src/models/model.ts'
import { configure } from '../../src/models/registry.ts'
import { evaluate, interpretProgram } from '../../src/program/evaluate.ts'
import { lowerWith } from '../../src/program/lower.ts'
import type { Program } from '../../src/program/program.ts'
import { traceFunction } from '../../src/program/trace-function.ts'
import type { Target } from '../../src/trace/target.ts'
import { flatten, unflatten } from '../../src/trace/tree.ts'

/** Small models run in the interpreter, for tests. */

const isHostArray = (value: unknown): value is HostArray => value instanceof HostArray
export const isType = (value: unknown): value is TensorType => typeof value === 'object' && value !== null && (value as TensorType).kind === 'tensor'

/** Numbers between -1 and 1 that follow from a seed. */
export function randomNumbers(seed: number): () => number {
  let state = (seed * 2654435761 + 12345) >>> 0
  return () => {
    state = (Math.imul(state ^ (state >>> 15), 2246822519) + 0x9e3779b9) >>> 0
    const mixed = Math.imul(state ^ (state >>> 13), 3266489917) >>> 0
    return ((mixed ^ (mixed >>> 16)) >>> 0) / 2 ** 31 - 1
  }
}

/** Arrays of random numbers in place of types; floats get the element type `dtype`. */
export function randomTree<T>(types: T, seed: number, dtype: DType, deviation: (type: TensorType) => number): any {
  const next = randomNumbers(seed)
  const { leaves, structure } = flatten(types, isType, 'types')
  return unflatten(structure, leaves.map((type) => {
    const scale = deviation(type)
    return HostArray.of(isFloat(type.dtype) ? dtype : type.dtype, type.shape, Array.from({ length: elementCount(type.shape) }, () => next() * scale))
  }))
}

/** Every array of a tree as numbers, in order. */
export const treeLeaves = (tree: unknown): HostArray[] => flatten(tree, isHostArray, 'arrays').leaves

export const typesOf = (tree: unknown): any => {
  const { leaves, structure } = flatten(tree, isHostArray, 'arrays')
  return unflatten(structure, leaves.map((leaf) => leaf.type))
}

export interface Step {
  readonly tokens: readonly (readonly number[])[]
  readonly start: readonly boolean[]
}

/** All of an output that a program can return: without the numbers of the layers that retrieved. */
const tensorsOf = ({ retrieved, ...rest }: ModelOutput<unknown>): unknown => (retrieved ? { ...rest, retrieved: retrieved.map(({ layer: _, ...each }) => each) } : rest)

/** A configured model with random parameters of its compute type. */
export class ModelRunner {
  readonly configured: ReturnType<typeof configure>
  readonly slots: number
  /** What its steps are lowered for. */
  readonly target: Target | undefined
  parameters: any
  readonly #programs = new Map<number, Program>()

  constructor(configuration: Record<string, unknown>, slots: number, seed = 1, target?: Target) {
    this.configured = configure(configuration)
    this.slots = slots
    this.target = target
    this.parameters = randomTree(this.parameterTypes(), seed, this.config.computeDtype === 'bf16' ? 'f32' : this.config.computeDtype, ({ shape }) => (shape.length === 1 ? 1.5 : 0.7))
  }

  get config(): any {
    return this.configured.config
  }

  parameterTypes(): any {
    const { model, config } = this.configured
    const { outputs, func } = traceFunction('initial', (key: Tensor) => model.initialParameters(config, key), [tensorType('u32', [2])])
    return unflatten(outputs, func.resultTypes)
  }

  initialState(): any {
    return evaluate(() => this.configured.model.initialState(this.config, this.slots))
  }

  /** One step: `{ logits, state, diagnostics }` as host arrays. */
  run(state: any, { tokens, start }: Step): { logits: HostArray; state: any; diagnostics: Record<string, HostArray> } {
    const input = { tokens: HostArray.from('i32', tokens), start: HostArray.from('bool', start) }
    const length = tokens[0].length
    let program = this.#programs.get(length)
    if (!program) {
      const apply = (parameters: any, before: any, given: any): unknown => tensorsOf(this.configured.model.apply(this.config, parameters, before, given))
      program = lowerWith(this.target ? { target: this.target } : {}, apply, typesOf(this.parameters), typesOf(state), typesOf(input)) as unknown as Program
      this.#programs.set(length, program)
    }
    return interpretProgram(program as Program<any, any>, this.parameters, state, input) as any
  }

  /** Steps one after the other from the initial state; the outputs of each. */
  runAll(steps: readonly Step[]): { logits: HostArray; state: any; diagnostics: Record<string, HostArray> }[] {
    let state = this.initialState()
    return steps.map((step) => {
      const output = this.run(state, step)
      state = output.state
      return output
    })
  }
}

/** Random tokens and document starts for `slots`; every slot begins with a document. */
export function randomSteps(slots: number, segments: readonly number[], vocabularySize: number, seed: number, startEvery = 3): Step[] {
  const next = randomNumbers(seed)
  return segments.map((length, step) => ({
    tokens: Array.from({ length: slots }, () => Array.from({ length }, () => Math.floor(((next() + 1) / 2) * vocabularySize) % vocabularySize)),
    start: Array.from({ length: slots }, (_, slot) => step === 0 || (step + slot) % startEvery === 0),
  }))
}
