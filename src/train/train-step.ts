import { valueAndGradWithAux } from '../autodiff/grad.ts'
import type { Tensor } from '../ir/module.ts'
import { tensorType } from '../ir/types.ts'
import type { LanguageModel, ModelConfig, ModelInput } from '../models/model.ts'
import { foldIn } from '../lib/random.ts'
import { add, divide } from '../ops/arithmetic.ts'
import { fill } from '../ops/constant.ts'
import { scope } from '../trace/frame.ts'
import { type StepPart, type StepShare, accumulateGradients, repeatedState } from './accumulate.ts'
import { type TrainedPart, splitParameters } from './freezing.ts'
import { type LossOutput, crossEntropy } from './loss.ts'
import { type Optimizer, clipByGlobalNorm, globalNorm } from './optimizers/optimizer.ts'

/** Everything that goes into a training step and comes out of it. */
export interface TrainState {
  readonly parameters: unknown
  readonly optimizer: unknown
  /** Caches, memories, write positions: state of the stream that is read; of each group of slots in turn where there are several. */
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
  /** Of all that is trained, by whichever loss. */
  readonly gradientNorm: Tensor
  /** What a model is trained by beside its predictions; `loss` has no part of it. */
  readonly auxiliary?: Tensor
}

export interface TrainStepOptions extends TrainedPart {
  readonly optimizer: Optimizer
  /** Scale gradients so that their global norm is at most this. */
  readonly clipGlobalNorm?: number | undefined
  /** Groups that the slots are worked through in, one after another; it divides their number. */
  readonly accumulate?: number | undefined
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
  <C extends ModelConfig>(model: LanguageModel<C>, config: C, batchSize: number, optimizer: Optimizer, accumulate = 1, part: TrainedPart = {}) =>
  (key: Tensor): TrainState => {
    const parameters = model.initialParameters(config, foldIn(key, 0))
    return {
      parameters,
      optimizer: optimizer.init(splitParameters(parameters, part).trained),
      model: accumulate === 1 ? model.initialState(config, batchSize) : repeatedState(model.initialState(config, batchSize / accumulate), accumulate),
      step: fill(0, tensorType('i32', [])),
      key: foldIn(key, 1),
    }
  }

/** One step of training: (state, batch) -> { state, metrics }. */
export const trainStep =
  <C extends ModelConfig>(model: LanguageModel<C>, config: C, { optimizer, clipGlobalNorm, accumulate = 1, ...part }: TrainStepOptions) =>
  (state: TrainState, batch: Batch): { state: TrainState; metrics: StepMetrics; diagnostics: Record<string, Tensor> } => {
    const dropoutKey = (config.dropout ?? 0) > 0 ? foldIn(state.key, state.step) : undefined
    const { trained, join } = splitParameters(state.parameters, part)
    const { gradient, loss, ...rest } =
      accumulate === 1
        ? differentiate(model, config, trained, { join, state: state.model, batch, dropoutKey })
        : accumulateGradients(accumulate, { parameters: trained, model: state.model }, batch, (group) =>
            differentiate(model, config, trained, { join, ...group, dropoutKey: dropoutKey && foldIn(dropoutKey, group.index) }),
          )
    const { gradients, norm } = scope('clip', () =>
      clipGlobalNorm === undefined ? { gradients: gradient, norm: globalNorm(gradient) } : clipByGlobalNorm(gradient, clipGlobalNorm),
    )
    const updated = scope('optimizer', () => optimizer.update(gradients, state.optimizer, trained, state.step))
    return {
      state: { parameters: join(updated.parameters), optimizer: updated.state, model: rest.model, step: add(state.step, 1), key: state.key },
      metrics: { ...loss, gradientNorm: norm, ...(rest.auxiliary ? { auxiliary: rest.auxiliary } : {}) },
      diagnostics: rest.diagnostics,
    }
  }

/** Loss of slots, and its gradient by the parameters that are trained. With `share` the loss is the part of the whole step's mean that these slots have. */
function differentiate<C extends ModelConfig>(
  model: LanguageModel<C>,
  config: C,
  trained: unknown,
  { join, state, batch, dropoutKey, share }: { join: (trained: unknown) => unknown; state: unknown; batch: Batch; dropoutKey: Tensor | undefined; share?: StepShare },
): StepPart {
  const run = valueAndGradWithAux((traced: unknown) => {
    const output = model.apply(config, join(traced), state, batch, { dropoutKey })
    const loss = scope('loss', () => crossEntropy(output.logits, batch.targets, batch.weights))
    const ofPredictions = share ? divide(loss.total, share.count) : loss.loss
    const { auxiliary } = output
    const objective = auxiliary ? add(ofPredictions, share ? divide(auxiliary.loss, share.groups) : auxiliary.loss) : ofPredictions
    return [objective, { loss, auxiliary: auxiliary?.loss, model: output.state, diagnostics: { ...output.diagnostics, ...auxiliary?.parts } }] as const
  })
  const [[, aux], gradient] = run(trained)
  return { gradient, ...aux }
}

/** One step of evaluation, with state of its own: (parameters, modelState, batch) -> { model, loss }. */
export const evaluationStep =
  <C extends ModelConfig>(model: LanguageModel<C>, config: C) =>
  (parameters: unknown, modelState: unknown, batch: Batch): { model: unknown; loss: LossOutput } => {
    const output = model.apply(config, parameters, modelState, batch, {})
    return { model: output.state, loss: crossEntropy(output.logits, batch.targets, batch.weights) }
  }
