import type { TokenArray } from '../data/tokenizer.ts'
import { HostArray } from '../ir/host-array.ts'
import { tensorType } from '../ir/types.ts'
import type { Tensor } from '../ir/module.ts'
import type { DeviceBuffer } from '../ir/backend.ts'
import { foldIn } from '../lib/random.ts'
import { reshape } from '../ops/reshape.ts'
import { lowerWith } from '../program/lower.ts'
import { type Executable, type Session, isDeviceBuffer } from '../program/session.ts'
import { flatten, unflatten } from '../trace/tree.ts'
import { TrainError } from './errors.ts'
import { turn } from './evaluator.ts'
import { type TrainedModel, donatedState, evaluationInitProgram, seedKey } from './programs.ts'
import { type Sampling, drawToken } from './sampling.ts'

/**
 * Generation: a prompt is read in whole segments as in training, which fills caches and memories, and what is left of it token by token;
 * then each token is drawn from what the model says after the one before. A document of any length goes on as one document.
 */
export interface GenerationOptions {
  /** How many tokens to draw at most. */
  readonly tokens: number
  /** Draws the tokens. */
  readonly seed: number
  /** Ends after this id, which is given too. */
  readonly endOfDocument?: number
  readonly signal?: AbortSignal
  /** Told after every segment or token of the prompt. */
  readonly onPrompt?: (done: number, total: number) => void
}

/** Where a text stands that goes on: the model's state on the device. */
interface Reading {
  state: unknown
  /** Whether nothing was read yet. */
  fresh: boolean
}

export class Generator {
  readonly #segmentLength: number
  readonly #vocabularySize: number
  readonly #init: Executable<any, any>
  readonly #read: Executable<any, any>
  readonly #next: Executable<any, any>

  private constructor({ config }: TrainedModel, init: Executable<any, any>, read: Executable<any, any>, next: Executable<any, any>) {
    this.#segmentLength = config.segmentLength
    this.#vocabularySize = config.vocabularySize
    this.#init = init
    this.#read = read
    this.#next = next
  }

  /** Compiles the programs for one way of drawing. `parameters` are the parameters' types. */
  static async create(session: Session, trained: TrainedModel, parameters: unknown, sampling: Sampling): Promise<Generator> {
    const init = session.lower(() => evaluationInitProgram(trained, 1))
    const state = unflatten(init.outputStructure, init.outputs)
    const programs = session.lower(() => [init, readProgram(trained, parameters, state), nextProgram(trained, parameters, state, sampling)] as const)
    const [compiledInit, read, next] = await Promise.all(programs.map((program) => session.compile(program as never)))
    return new Generator(trained, compiledInit, read, next)
  }

  /**
   * The ids that follow `prompt`, one by one. The parameters stay the caller's. Throws `TrainError` `GENERATION_PROMPT` for an empty prompt
   * and for ids that the model does not have.
   */
  async *generate(parameters: unknown, prompt: TokenArray, { tokens, seed, endOfDocument, signal, onPrompt }: GenerationOptions): AsyncGenerator<number, void, void> {
    this.#checkPrompt(prompt)
    const reading: Reading = { state: this.#init.call(), fresh: true }
    const key = seedKey(seed)
    try {
      let token = await this.#readPrompt(parameters, prompt, reading, key, signal, onPrompt)
      for (let drawn = 1; ; drawn++) {
        const id = (await token.read()).item() as number
        yield id
        if (drawn === tokens || id === endOfDocument || signal?.aborted) {
          token.release()
          return
        }
        const before = token
        token = this.#step(parameters, before, reading, key, drawn)
        before.release()
      }
    } finally {
      for (const buffer of flatten(reading.state, isDeviceBuffer, 'the state of the generation').leaves) buffer.release()
    }
  }

  #checkPrompt(prompt: TokenArray): void {
    if (prompt.length === 0) throw new TrainError('the prompt is empty', 'GENERATION_PROMPT', { hint: 'give at least one token of text to go on from' })
    const foreign = prompt.findIndex((id) => id >= this.#vocabularySize)
    if (foreign >= 0)
      throw new TrainError(`token ${prompt[foreign]} at place ${foreign} of the prompt is outside the model's vocabulary of ${this.#vocabularySize}`, 'GENERATION_PROMPT', {
        hint: 'the prompt was divided by another tokenizer than the model was trained with',
      })
  }

  /** Reads the prompt; the first token that follows. */
  async #readPrompt(parameters: unknown, prompt: TokenArray, reading: Reading, key: HostArray, signal?: AbortSignal, onPrompt?: GenerationOptions['onPrompt']): Promise<DeviceBuffer> {
    const length = this.#segmentLength
    let at = 0
    // The last token is left for the step that draws.
    for (; at + length < prompt.length && !signal?.aborted; at += length) {
      const segment = new HostArray(tensorType('i32', [1, length]), Int32Array.from(prompt.subarray(at, at + length)))
      reading.state = this.#read.call(parameters, reading.state, segment, flag(reading.fresh))
      reading.fresh = false
      onPrompt?.(at + length, prompt.length)
      await turn()
    }
    for (; at < prompt.length - 1 && !signal?.aborted; at++) {
      this.#step(parameters, HostArray.of('i32', [], [prompt[at]]), reading, key, 0).release()
      onPrompt?.(at + 1, prompt.length)
      await turn()
    }
    return this.#step(parameters, HostArray.of('i32', [], [prompt[prompt.length - 1]]), reading, key, 0)
  }

  #step(parameters: unknown, token: HostArray | DeviceBuffer, reading: Reading, key: HostArray, drawn: number): DeviceBuffer {
    const result = this.#next.call(parameters, reading.state, token, flag(reading.fresh), key, HostArray.of('i32', [], [drawn])) as { state: unknown; token: DeviceBuffer }
    reading.state = result.state
    reading.fresh = false
    return result.token
  }

  async release(): Promise<void> {
    await Promise.all([this.#init.release(), this.#read.release(), this.#next.release()])
  }
}

const flag = (value: boolean): HostArray => HostArray.of('bool', [1], [value])

/** (parameters, state, tokens i32[1,s], start bool[1]) -> the state after them. */
const readProgram = ({ model, config }: TrainedModel, parameters: unknown, state: unknown) =>
  lowerWith(
    { name: 'read', donate: donatedState(state) },
    (weights: unknown, before: unknown, tokens: Tensor, start: Tensor) => model.apply(config, weights, before, { tokens, start }).state as unknown,
    parameters as never,
    state as never,
    tensorType('i32', [1, config.segmentLength]),
    tensorType('bool', [1]),
  )

/** (parameters, state, token i32[], start bool[1], key u32[2], drawn i32[]) -> the state after the token, and the token that follows. */
const nextProgram = ({ model, config }: TrainedModel, parameters: unknown, state: unknown, sampling: Sampling) =>
  lowerWith(
    { name: 'next', donate: donatedState(state) },
    (weights: unknown, before: unknown, token: Tensor, start: Tensor, key: Tensor, drawn: Tensor) => {
      const output = model.apply(config, weights, before, { tokens: reshape(token, [1, 1]), start })
      const logits = reshape(output.logits, [config.vocabularySize])
      return { state: output.state as unknown, token: drawToken(logits, foldIn(key, drawn), sampling) }
    },
    parameters as never,
    state as never,
    tensorType('i32', []),
    tensorType('bool', [1]),
    tensorType('u32', [2]),
    tensorType('i32', []),
  )
