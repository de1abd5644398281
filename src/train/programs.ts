import { HostArray } from '../ir/host-array.ts'
import { type TensorType, tensorType } from '../ir/types.ts'
import type { LanguageModel, ModelConfig } from '../models/model.ts'
import { lowerWith } from '../program/lower.ts'
import type { Program } from '../program/program.ts'
import { unflatten } from '../trace/tree.ts'
import { makeOptimizer } from './optimizers/registry.ts'
import type { RunConfig } from './run-config.ts'
import { type Batch, type TrainState, batchSpec, evaluationStep, initialTrainState, trainStep } from './train-step.ts'
import type { Tensor } from '../ir/module.ts'

/**
 * The programs of a training run. Each is traced once, with all sizes fixed: `init` draws the state on the device, `train` is a step whose
 * state is donated, `evaluationInit` and `evaluate` read held-out text with a state of their own.
 */
export const entryNames = ['train', 'evaluate', 'init', 'evaluationInit'] as const
export type EntryName = (typeof entryNames)[number]

/** A model with its checked configuration. */
export interface TrainedModel<C extends ModelConfig = any> {
  readonly model: LanguageModel<C>
  readonly config: C
}

/** The part of a run's configuration that shapes its programs. */
export type ProgramConfig = Pick<RunConfig, 'optimizer' | 'clipGlobalNorm' | 'batchSize'> & Partial<Pick<RunConfig, 'accumulate' | 'freeze' | 'trainOnly'>>

export type TrainFunction = ReturnType<typeof trainStep>
export type EvaluateFunction = ReturnType<typeof evaluationStep>

/** (key u32[2]) -> state. */
export const initProgram = ({ model, config }: TrainedModel, run: ProgramConfig): Program<[Tensor], TrainState> =>
  lowerWith({ name: 'init' }, initialTrainState(model, config, run.batchSize, makeOptimizer(run.optimizer), run.accumulate, run), keyType)

/** Whether a value of a tree of types is a type. */
export const isTensorType = (value: unknown): value is TensorType => typeof value === 'object' && value !== null && 'dtype' in value && 'shape' in value

/** The types of a model's parameters, nested as they are. */
export function parameterSpec({ model, config }: TrainedModel): unknown {
  const { outputStructure, outputs } = lowerWith({ name: 'parameters' }, (key: Tensor) => model.initialParameters(config, key) as unknown, keyType)
  return unflatten(outputStructure, outputs)
}

/** The types of the training state, nested as it is. */
export const stateSpec = (init: Program<any, any>): TrainStateSpec => unflatten(init.outputStructure, init.outputs) as TrainStateSpec
export interface TrainStateSpec {
  readonly parameters: unknown
  readonly optimizer: unknown
  readonly model: unknown
  readonly step: TensorType
  readonly key: TensorType
}

/** (state, batch) -> { state, metrics, diagnostics }; the state is donated. */
export const trainProgram = ({ model, config }: TrainedModel, run: ProgramConfig, state: TrainStateSpec): Program<[TrainState, Batch], ReturnType<TrainFunction>> =>
  lowerWith(
    { name: 'train', donate: [0] },
    trainStep(model, config, { optimizer: makeOptimizer(run.optimizer), clipGlobalNorm: run.clipGlobalNorm, accumulate: run.accumulate, freeze: run.freeze, trainOnly: run.trainOnly }),
    state as never,
    batchSpec(run.batchSize, config.segmentLength) as never,
  )

/** The slots that an evaluation reads at once: as many as a step works through at once. */
export const evaluationSlots = ({ batchSize, accumulate = 1 }: Pick<ProgramConfig, 'batchSize' | 'accumulate'>): number => batchSize / accumulate

/** () -> the model's state of slots that have read nothing. */
export const evaluationInitProgram = ({ model, config }: TrainedModel, batchSize: number): Program<[], unknown> =>
  lowerWith({ name: 'evaluationInit' }, () => model.initialState(config, batchSize) as unknown)

/** The position of a model's state among the arguments, for donation; none for a model without state. */
export const donatedState = (modelState: unknown): number[] => (JSON.stringify(modelState ?? null).includes('"kind":"tensor"') ? [1] : [])

/** (parameters, modelState, batch) -> { model, loss }; the model's state is donated. */
export function evaluateProgram(
  { model, config }: TrainedModel,
  batchSize: number,
  parameters: unknown,
  modelState: unknown,
): Program<[unknown, unknown, Batch], ReturnType<EvaluateFunction>> {
  return lowerWith(
    { name: 'evaluate', donate: donatedState(modelState) },
    evaluationStep(model, config),
    parameters as never,
    modelState as never,
    batchSpec(batchSize, config.segmentLength) as never,
  )
}

const keyType = tensorType('u32', [2])

/** The random key of a seed: u32[2], the high word first. */
export const seedKey = (seed: number): HostArray => new HostArray(keyType, new Uint32Array([Math.floor(seed / 2 ** 32) >>> 0, seed >>> 0]))

/** The program of an entry, for those who want to look at it. */
export function entryProgram(entry: EntryName, trained: TrainedModel, run: ProgramConfig): Program<any, any> {
  const slots = evaluationSlots(run)
  const evaluationInit = evaluationInitProgram(trained, slots)
  if (entry === 'evaluationInit') return evaluationInit
  const init = initProgram(trained, run)
  if (entry === 'init') return init
  const state = stateSpec(init)
  if (entry === 'train') return trainProgram(trained, run, state)
  return evaluateProgram(trained, slots, state.parameters, unflatten(evaluationInit.outputStructure, evaluationInit.outputs))
}
