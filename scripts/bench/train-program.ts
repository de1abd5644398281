import type { TensorType } from '../../src/ir/types.ts'
import { tensorType } from '../../src/ir/types.ts'
import type { ConfiguredModel } from '../../src/models/registry.ts'
import { lowerWith } from '../../src/program/lower.ts'
import type { Program } from '../../src/program/program.ts'
import type { Target } from '../../src/trace/target.ts'
import { unflatten } from '../../src/trace/tree.ts'
import { makeOptimizer, optimizerSchema } from '../../src/train/optimizers/registry.ts'
import { type TrainState, batchSpec, initialTrainState, trainStep } from '../../src/train/train-step.ts'

/** What the benchmarks train with: Adafactor as the paper has it. */
const optimizer = makeOptimizer(optimizerSchema.parse({ kind: 'adafactor', schedule: { kind: 'inverse-sqrt', learningRate: 0.01 } }))

export type InitProgram = Program<any, TrainState>

/** The program that draws the state before the first step: (key u32[2]) -> state. */
export const initProgram = ({ model, config }: ConfiguredModel, batch: number): InitProgram =>
  lowerWith({ name: 'init' }, initialTrainState(model, config, batch, optimizer), tensorType('u32', [2])) as InitProgram

/** The types of the state, nested as the state is. */
export const stateTypes = (init: InitProgram): unknown => unflatten(init.outputStructure, init.outputs as TensorType[])

/** The train step, its state donated, lowered for `target`: (state, batch) -> { state, metrics, diagnostics }. */
export const stepProgram = ({ model, config }: ConfiguredModel, batch: number, state: unknown, target?: Target): Program<any, any> =>
  lowerWith({ name: 'train_step', donate: [0], ...(target ? { target } : {}) }, trainStep(model, config, { optimizer }) as (...args: any[]) => unknown, state as never, batchSpec(batch, config.segmentLength) as never)
