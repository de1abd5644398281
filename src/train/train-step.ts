import { valueAndGradWithAux } from '../autodiff/grad.ts'
import type { Tensor } from '../ir/module.ts'
import { tensorType } from '../ir/types.ts'
import type { LanguageModel, ModelConfig, ModelInput } from '../models/model.ts'
import { foldIn } from '../lib/random.ts'
import { add } from '../ops/arithmetic.ts'
import { fill } from '../ops/constant.ts'
import { scope } from '../trace/frame.ts'
import { type LossOutput, crossEntropy } from './loss.ts'
import { type Optimizer, clipByGlobalNorm, globalNorm } from './optimizers/optimizer.ts'

/** Everything that goes into a training step and comes out of it. */
export interface TrainState {
  readonly parameters: unknown
  readonly optimizer: unknown
  /** Caches, memories, write positions: state of the stream that is read. */
  readonly model: unknown
  /** i32[]: steps done. */
  readonly step: Tensor
  /** u32[2]: key of the dropout masks; the step is folded in. */
  readonly key: Tensor
}

export interface Batch extends ModelInput {
  /** i32[b,s]: the tokens to predict. */
  readonly targets: Tensor
  /** f32[b,s]: 0 where a target does not count. */
  readonly weights: Tensor
}

/** f32[] each. */
export interface StepMetrics extends LossOutput {
  readonly gradientNorm: Tensor
}

export interface TrainStepOptions {
  readonly optimizer: Optimizer
  /** Scale gradients so that their global norm is at most this. */
  readonly clipGlobalNorm?: number
}

/** The types of a batch of `b` slots and segments of `s` tokens. */
export const batchSpec = (b: number, s: number) => ({
  tokens: tensorType('i32', [b, s]),
  targets: tensorType('i32', [b, s]),
  weights: tensorType('f32', [b, s]),
  start: tensorType('bool', [b]),
})

/** The state before the first step: (key u32[2]) -> state. Traced, so parameters are drawn on the device. */
export const initialTrainState =
  <C extends ModelConfig>(model: LanguageModel<C>, config: C, batchSize: number, optimizer: Optimizer) =>
  (key: Tensor): TrainState => {
    const parameters = model.initialParameters(config, foldIn(key, 0))
    return {
      parameters,
      optimizer: optimizer.init(parameters),
      model: model.initialState(config, batchSize),
      step: fill(0, tensorType('i32', [])),
      key: foldIn(key, 1),
    }
  }

/** One step of training: (state, batch) -> { state, metrics }. */
export const trainStep =
  <C extends ModelConfig>(model: LanguageModel<C>, config: C, { optimizer, clipGlobalNorm }: TrainStepOptions) =>
  (state: TrainState, batch: Batch): { state: TrainState; metrics: StepMetrics; diagnostics: Record<string, Tensor> } => {
    const dropoutKey = (config.dropout ?? 0) > 0 ? foldIn(state.key, state.step) : undefined
    const differentiate = valueAndGradWithAux((parameters: unknown) => {
      const output = model.apply(config, parameters, state.model, batch, { dropoutKey })
      const loss = scope('loss', () => crossEntropy(output.logits, batch.targets, batch.weights))
      return [loss.loss, { loss, model: output.state, diagnostics: output.diagnostics }] as const
    })
    const [[, aux], gradient] = differentiate(state.parameters)
    const { gradients, norm } = scope('clip', () =>
      clipGlobalNorm === undefined ? { gradients: gradient, norm: globalNorm(gradient) } : clipByGlobalNorm(gradient, clipGlobalNorm),
    )
    const updated = scope('optimizer', () => optimizer.update(gradients, state.optimizer, state.parameters, state.step))
    return {
      state: { parameters: updated.parameters, optimizer: updated.state, model: aux.model, step: add(state.step, 1), key: state.key },
      metrics: { ...aux.loss, gradientNorm: norm },
      diagnostics: aux.diagnostics,
    }
  }

/** One step of evaluation, with state of its own: (parameters, modelState, batch) -> { model, loss }. */
export const evaluationStep =
  <C extends ModelConfig>(model: LanguageModel<C>, config: C) =>
  (parameters: unknown, modelState: unknown, batch: Batch): { model: unknown; loss: LossOutput } => {
    const output = model.apply(config, parameters, modelState, batch, {})
    return { model: output.state, loss: crossEntropy(output.logits, batch.targets, batch.weights) }
  }
