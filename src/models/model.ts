import type { z } from 'zod'
import type { Tensor } from '../ir/module.ts'

/**
 * A model is a checked configuration and one pure function over tensors. Everything a stream of text leaves behind (caches, memories,
 * write positions, lengths) goes in as `state` and comes out again, so that one program is a whole step and its buffers can be donated.
 * All models here are the decoder of `decoder.ts` with more or less of it switched on.
 */
export interface LanguageModel<Config extends ModelConfig = ModelConfig, Parameters = any, State = any> {
  /** The name by which configurations choose it: `config.model`. */
  readonly name: string
  /** One sentence for lists. */
  readonly description: string
  /** The configuration with its rules and defaults. Use `checkConfiguration`, whose errors name key, value, rule and the nearest right key. */
  readonly schema: z.ZodType<Config>
  /**
   * What the configuration makes of the parameters, beyond their types: plain values that are the same for two configurations, also of two
   * models, that compute the same of the same parameters, but for what is new in one of them.
   */
  meaning?(config: Config): Readonly<Record<string, unknown>>
  /** Keys of the configuration with which what is new begins almost without effect on parameters of a checkpoint that lacks it. */
  readonly quiet?: Readonly<Record<string, unknown>>
  /** Parameters before training, drawn from `key` (`u32[2]`): plain nested objects of `f32` tensors. Traced, so they are drawn on the device. */
  initialParameters(config: Config, key: Tensor): Parameters
  /** State of `batchSize` slots that have read nothing. Traced. */
  initialState(config: Config, batchSize: number): State
  /** The state with the external memory taken away, so that `apply` gives what it would with an empty one; absent where a model has none. Traced. */
  withoutMemory?(state: State): State
  /**
   * Reads one segment: `tokens i32[b,s]`, `start bool[b]` -> `logits f32[b,s,V]` of the token after each. `s` may be any length, also another
   * than the configuration's. Traced. Throws `OpError`.
   */
  apply(config: Config, parameters: Parameters, state: State, input: ModelInput, options?: ApplyOptions): ModelOutput<State>
}

/** What every configuration has. */
export interface ModelConfig {
  readonly model: string
  readonly vocabularySize: number
  /** Tokens of one slot that a training step reads. */
  readonly segmentLength: number
  /** Size of the vectors between layers. */
  readonly width: number
  readonly layers: number
  /** Type of matrix products and of what is kept between layers; softmax, norms and logits are f32 (f64 where this is f64). */
  readonly computeDtype: ComputeDType
  /** Share of elements dropped in training. */
  readonly dropout: number
}

/** `f64` is for checking gradients. */
export const computeDTypes = ['f32', 'bf16', 'f64'] as const
export type ComputeDType = (typeof computeDTypes)[number]

export interface ModelInput {
  /** `i32[b,s]` */
  readonly tokens: Tensor
  /** `bool[b]`: true where the slot begins a document with this segment; its caches and memories are empty for this step already. */
  readonly start: Tensor
}

export interface ApplyOptions {
  /** `u32[2]`; without it nothing is dropped. */
  readonly dropoutKey?: Tensor | undefined
}

/** What a model is trained by beside its predictions, for parts of it that these do not reach. */
export interface AuxiliaryOutput {
  /** `f32[]`: added to the loss of the predictions in training, and nowhere else. */
  readonly loss: Tensor
  /** What it is made of, by name: small `f32` tensors. */
  readonly parts: Record<string, Tensor>
}

/** What a memory layer retrieved in one step. Nothing is computed for it unless a program returns it. */
export interface RetrievedPlaces {
  /** Counted from 1. */
  readonly layer: number
  /** `i32[b,h,s,k]`: how many tokens before the segment's first one each place was written, 1 for the last one; 0 where there is no place. */
  readonly ages: Tensor
  /** `f32[b,h,s,k]`: their shares of the attention to the memory, the nearest key first. */
  readonly weights: Tensor
}

export interface ModelOutput<State> {
  /** `f32[b,s,V]` */
  readonly logits: Tensor
  readonly state: State
  /** Absent where a model is trained by its predictions alone. */
  readonly auxiliary?: AuxiliaryOutput
  /** Of the memory layers, in order; absent where a model has none. */
  readonly retrieved?: readonly RetrievedPlaces[]
  /** Small `f32` tensors to look at; nothing is computed for those that a program does not return. */
  readonly diagnostics: Record<string, Tensor>
}
