import { type LossTotals, type LossUnits, lossUnits } from '../data/loss-units.ts'
import { type TokenUnits, createEvaluationStream } from '../data/packing.ts'
import type { TokenDocument } from '../data/token-documents.ts'
import type { DeviceBuffer } from '../ir/backend.ts'
import type { Executable, Session } from '../program/session.ts'
import { flatten } from '../trace/tree.ts'
import { isDeviceBuffer } from '../program/session.ts'
import { type TrainedModel, evaluateProgram, evaluationInitProgram } from './programs.ts'
import { unflatten } from '../trace/tree.ts'

/** What an evaluation found. */
export interface Evaluation extends LossTotals, LossUnits {
  /** Share of tokens whose most likely prediction is right. */
  readonly accuracy: number
  readonly seconds: number
}

export interface EvaluationOptions {
  readonly batchSize: number
  readonly tokenizer: TokenUnits
  /** Held-out tokens to read; all without it. */
  readonly tokens?: number | undefined
  readonly maxDocumentTokens?: number | undefined
  /** Order of the documents; the same for all models that are compared. */
  readonly seed?: number
}

/** Steps that may be under way before the oldest is waited for: enough for the device never to wait. */
const stepsAhead = 4

/** Reads held-out documents with a model state of its own. */
export class Evaluator {
  readonly #trained: TrainedModel
  readonly #init: Executable<any, any>
  readonly #step: Executable<any, any>
  readonly #batchSize: number

  private constructor(trained: TrainedModel, init: Executable<any, any>, step: Executable<any, any>, batchSize: number) {
    this.#trained = trained
    this.#init = init
    this.#step = step
    this.#batchSize = batchSize
  }

  /** Compiles the two programs. `parameters` are the parameters' types. */
  static async create(session: Session, trained: TrainedModel, batchSize: number, parameters: unknown): Promise<Evaluator> {
    const init = session.lower(() => evaluationInitProgram(trained, batchSize))
    const step = session.lower(() => evaluateProgram(trained, batchSize, parameters, unflatten(init.outputStructure, init.outputs)))
    const [compiledInit, compiledStep] = await Promise.all([session.compile(init), session.compile(step)])
    return new Evaluator(trained, compiledInit, compiledStep, batchSize)
  }

  /** Reads each document from its start until `tokens` are counted. The parameters stay the caller's. */
  async evaluate(parameters: unknown, documents: readonly TokenDocument[], options: Omit<EvaluationOptions, 'batchSize'>): Promise<Evaluation> {
    const started = performance.now()
    const stream = createEvaluationStream(documents, {
      slots: this.#batchSize,
      segment: this.#trained.config.segmentLength,
      tokenizer: options.tokenizer,
      tokenBudget: options.tokens,
      maxDocumentTokens: options.maxDocumentTokens,
      seed: options.seed ?? 0,
    })
    const totals = { nats: 0, correct: 0, weight: 0, tokens: 0, bytes: 0 }
    const waiting: Promise<void>[] = []
    let state: unknown = this.#init.call()
    for (const { tokens, targets, weights, start, counts } of stream) {
      const { model, loss } = this.#step.call(parameters, state, { tokens, targets, weights, start }) as {
        model: unknown
        loss: Record<'loss' | 'total' | 'count' | 'correct', DeviceBuffer>
      }
      state = model
      totals.tokens += counts.tokens
      totals.bytes += counts.bytes
      const { total, count, correct } = loss
      const counted = Promise.all([total.read(), count.read(), correct.read()]).then(([nats, weight, right]) => {
        totals.nats += nats.item()
        totals.weight += weight.item()
        totals.correct += right.item()
        for (const buffer of Object.values(loss)) buffer.release()
      })
      // A failure is met where the promise is awaited; until then it must not count as unhandled.
      counted.catch(() => {})
      waiting.push(counted)
      if (waiting.length > stepsAhead) await waiting.shift()
      await turn()
    }
    await Promise.all(waiting)
    for (const buffer of flatten(state, isDeviceBuffer, 'the state of the evaluation').leaves) buffer.release()
    const { nats, tokens, bytes } = totals
    return { nats, tokens, bytes, ...lossUnits({ nats, tokens, bytes }), accuracy: totals.correct / totals.weight, seconds: (performance.now() - started) / 1000 }
  }

  async release(): Promise<void> {
    await Promise.all([this.#init.release(), this.#step.release()])
  }
}

/** Lets signals and timers have their turn: a backend in this process gives none by itself. */
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
