import type { Tensor } from '../ir/module.ts'
import type { LanguageModel, ModelConfig, ModelInput } from '../models/model.ts'
import { lowerWith } from '../program/lower.ts'
import type { Program } from '../program/program.ts'
import { scope } from '../trace/frame.ts'
import { tokenLosses } from '../train/loss.ts'
import { type TrainedModel, donatedState } from '../train/programs.ts'
import { batchSpec } from '../train/train-step.ts'

/** The states of two readers of one text: one with the model's memory, one whose memory is hidden. */
export interface InspectionState {
  readonly with: unknown
  /** Absent for a model without memory. */
  readonly without?: unknown
}

export interface InspectionInput extends ModelInput {
  /** i32[b,s]: the token after each. */
  readonly targets: Tensor
}

export interface InspectionOutput {
  readonly state: InspectionState
  /** f32[b,s], in nats. */
  readonly loss: Tensor
  readonly lossWithout?: Tensor
  /** f32[m,h]: the gates of the memory layers. */
  readonly gates?: Tensor
  /** Of each memory layer, i32[b,h,s,k] and f32[b,h,s,k]. */
  readonly retrieved: readonly { readonly ages: Tensor; readonly weights: Tensor }[]
}

/** An external memory as its model is configured. */
export interface InspectedMemory {
  /** Counted from 1. */
  readonly layers: readonly number[]
  /** Tokens. */
  readonly size: number
}

/** The memory that can be looked into; undefined for a model without one, or with one of 0 places. */
export function memoryOf<C extends ModelConfig>(model: LanguageModel<C>, config: C): InspectedMemory | undefined {
  const { memoryLayers: layers, memorySize: size } = config as { memoryLayers?: readonly number[]; memorySize?: number }
  return model.withoutMemory && layers && size ? { layers, size } : undefined
}

/** The states before the first segment. Traced. */
export function initialInspection<C extends ModelConfig>(model: LanguageModel<C>, config: C, slots: number): InspectionState {
  const state = model.initialState(config, slots) as unknown
  return model.withoutMemory && memoryOf(model, config) ? { with: state, without: model.withoutMemory(model.initialState(config, slots)) } : { with: state }
}

/**
 * Reads a segment twice with the same parameters: as the model does, and without the memory, where every layer has its local attention
 * alone. The second reader has caches of its own, for what the memory told the first is in its caches too. Traced.
 */
export const inspectionStep =
  <C extends ModelConfig>(model: LanguageModel<C>, config: C) =>
  (parameters: unknown, state: InspectionState, { targets, ...input }: InspectionInput): InspectionOutput => {
    const read = model.apply(config, parameters, state.with, input)
    const loss = tokenLosses(read.logits, targets)
    const retrieved = (read.retrieved ?? []).map(({ ages, weights }) => ({ ages, weights }))
    if (state.without === undefined) return { state: { with: read.state as unknown }, loss, retrieved }
    const blind = scope('withoutMemory', () => model.apply(config, parameters, state.without, input))
    return {
      state: { with: read.state as unknown, without: blind.state as unknown },
      loss,
      lossWithout: tokenLosses(blind.logits, targets),
      retrieved,
      ...(read.diagnostics.memoryGate ? { gates: read.diagnostics.memoryGate } : {}),
    }
  }

/** () -> the states. */
export const inspectionInitProgram = ({ model, config }: TrainedModel, slots: number): Program<[], InspectionState> =>
  lowerWith({ name: 'inspectionInit' }, () => initialInspection(model, config, slots))

/** (parameters, state, input) -> output; the state is donated. */
export function inspectionProgram(
  { model, config }: TrainedModel,
  slots: number,
  parameters: unknown,
  state: unknown,
): Program<[unknown, InspectionState, InspectionInput], InspectionOutput> {
  const { tokens, targets, start } = batchSpec(slots, config.segmentLength)
  return lowerWith({ name: 'inspect', donate: donatedState(state) }, inspectionStep(model, config), parameters as never, state as never, { tokens, targets, start } as never)
}
