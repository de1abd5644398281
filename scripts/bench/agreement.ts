import { worstElement } from '../../src/host/agreement.ts'
import { HostArray } from '../../src/ir/host-array.ts'
import type { ConfiguredModel } from '../../src/models/registry.ts'
import type { Executable, Session } from '../../src/program/session.ts'
import { flatten, leafPaths } from '../../src/trace/tree.ts'
import { initProgram, stateTypes, stepProgram } from './train-program.ts'

/** Largest difference of a tensor, relative to its largest element. */
export interface Difference {
  readonly path: string
  readonly relative: number
}

export interface Agreement {
  readonly differences: readonly Difference[]
  readonly worst: Difference
  /** Milliseconds of each side's steps after the first. */
  readonly ms: { readonly interpreter: number[]; readonly xla: number[] }
}

const isHostArray = (value: unknown): value is HostArray => value instanceof HostArray

/**
 * Runs train steps of a model on the interpreter and on XLA from the same state (drawn by XLA) on the same batches, and compares
 * everything that comes out of the last step: loss, metrics, and every updated tensor.
 */
export async function compareTrainSteps(configured: ConfiguredModel, interpreter: Session, xla: Session, options: { batch: number; steps: number }): Promise<Agreement> {
  const { batch, steps } = options
  const init = initProgram(configured, batch)
  const program = stepProgram(configured, batch, stateTypes(init))
  const drawn = await (await xla.compile(init)).run(HostArray.from('u32', [0, 7]))
  const ms: Agreement['ms'] = { interpreter: [], xla: [] }
  const run = async (session: Session, times: number[]): Promise<unknown> => {
    const step = (await session.compile(program)) as Executable<any, any>
    let state: unknown = drawn
    let result: any
    for (let i = 0; i < steps; i++) {
      const begin = performance.now()
      result = await step.run(state, makeBatch(configured, batch, i))
      if (i > 0) times.push(performance.now() - begin)
      state = result.state
    }
    return result
  }
  const expected = flatten(await run(interpreter, ms.interpreter), isHostArray, 'the results')
  const actual = flatten(await run(xla, ms.xla), isHostArray, 'the results')
  const paths = leafPaths(expected.structure)
  const differences = expected.leaves.map((want, i) => ({ path: paths[i], relative: relativeDifference(actual.leaves[i], want) }))
  return { differences, worst: differences.reduce((a, b) => (b.relative > a.relative ? b : a)), ms }
}

/** The largest difference of two arrays, relative to the largest element. */
export const relativeDifference = (actual: HostArray, expected: HostArray): number => worstElement(actual, expected, { ofLargest: 1 })?.excess ?? 0

/** Tokens that repeat with a period, so that the memory has something to find; always the same for one step. */
function makeBatch({ config }: ConfiguredModel, batch: number, step: number) {
  const s = config.segmentLength as number
  const token = (slot: number, t: number) => ((t % 23) * 7 + slot * 13 + ((t * t) % 5)) % (config.vocabularySize as number)
  const draw = (shift: number) => Array.from({ length: batch * s }, (_, i) => token(Math.floor(i / s), step * s + (i % s) + shift))
  return {
    tokens: HostArray.of('i32', [batch, s], draw(0)),
    targets: HostArray.of('i32', [batch, s], draw(1)),
    weights: HostArray.of('f32', [batch, s], new Array(batch * s).fill(1)),
    start: HostArray.of('bool', [batch], Array.from({ length: batch }, (_, slot) => step === 0 || (step === 2 && slot === 1))),
  }
}
