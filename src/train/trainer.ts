/**
 * The training room's engine. A `Trainer` compiles the programs of a run once, keeps the whole training state on the device, where each step
 * takes it over from the one before, and feeds batches. Steps are started before earlier ones have ended: what a step measured is
 * read a few steps later, so that the device never waits for this process, and still every loss is looked at.
 */
import { dirname, resolve } from 'node:path'
import type { Batch, BatchStream } from '../data/packing.ts'
import type { Tokenizer } from '../data/tokenizer.ts'
import type { TokenDocument } from '../data/token-documents.ts'
import type { DeviceBuffer } from '../ir/backend.ts'
import type { HostArray } from '../ir/host-array.ts'
import { type Executable, type Session, isDeviceBuffer } from '../program/session.ts'
import { type TreeStructure, flatten, leafPaths } from '../trace/tree.ts'
import { type Beginning, begin } from './beginning.ts'
import { bestCheckpoint } from './checkpoint-folder.ts'
import { type ManifestFacts, type StateTensor, recordHeldOut, writeCheckpoint } from './checkpoint.ts'
import type { HeldOutLoss, Totals } from './checkpoint-manifest.ts'
import { DivergenceWatch } from './divergence.ts'
import { DivergedError, TrainError } from './errors.ts'
import { writeFailure } from './failure.ts'
import { frozenParameters } from './freezing.ts'
import { type Evaluation, Evaluator, turn } from './evaluator.ts'
import { type TrainedModel, evaluationSlots, initProgram, stateSpec, trainProgram } from './programs.ts'
import type { RunConfig } from './run-config.ts'
import type { StartList } from './start-from.ts'
import { type StepFacts, StepMeter, type StepReport } from './step-meter.ts'
import { type StepUnderWay, readFacts, releaseStep } from './step-under-way.ts'

/** Steps that may be under way before the oldest's metrics are waited for. */
const stepsAhead = 2

/** Steps that are gone through again at most, to have the state before one that failed. */
const mostStepsAgain = 2000

export interface TrainerOptions extends TrainedModel {
  readonly run: RunConfig
  readonly tokenizer: Tokenizer
  readonly train: readonly TokenDocument[]
  /** Held-out documents; without any, nothing is evaluated. */
  readonly heldOut?: readonly TokenDocument[]
  /** A checkpoint, or a run for its newest, to go on from. */
  readonly resume?: string | undefined
  /** The file's export that made the model, for the manifest. */
  readonly modelSource?: string | null
  /** For the manifest. */
  readonly versions?: Readonly<Record<string, string>>
}

/** Told what happens; all are optional. */
export interface TrainListener {
  report?(report: StepReport): void | Promise<void>
  evaluated?(evaluation: Evaluation & { readonly step: number }): void | Promise<void>
  saved?(path: string, step: number): void | Promise<void>
  /** A checkpoint has the least loss on held-out documents so far. */
  best?(path: string, step: number, heldOut: HeldOutLoss): void | Promise<void>
  /** A checkpoint could not be written; training goes on. */
  notSaved?(error: Error, step: number): void | Promise<void>
  /** Training diverged in `step`; the steps after `from` are gone through again, to keep the state before it. */
  goingBack?(step: number, from: number): void | Promise<void>
}

export interface RunOptions {
  /** Folder of the checkpoints; without it none are written. */
  readonly checkpoints?: string | undefined
  /** Folder where the inputs of a step that diverged are written, as `failures/step-00000231`. */
  readonly failures?: string | undefined
  /** When aborted, the step under way ends, a checkpoint is written, and `run` resolves. */
  readonly signal?: AbortSignal | undefined
}

export interface RunResult {
  readonly reason: 'done' | 'interrupted'
  readonly step: number
  readonly totals: Totals
  readonly evaluation: Evaluation | undefined
  /** The last checkpoint that was written. */
  readonly checkpoint: string | undefined
  /** The checkpoint with the least loss on held-out documents; undefined where none was evaluated. */
  readonly best: { readonly path: string; readonly step: number; readonly bitsPerByte: number } | undefined
}

/** A training run on a session; make it with `Trainer.create`. */
export class Trainer {
  readonly #session: Session
  readonly #options: TrainerOptions
  readonly #program: Executable<any, any>
  readonly #meter: StepMeter
  readonly #watch: DivergenceWatch
  readonly #stateStructure: TreeStructure
  readonly #parameterSpec: unknown
  /** The beginning of the run, or what a checkpoint of it holds. */
  readonly #begin: (checkpoint: string | undefined) => Promise<Beginning>
  readonly #started: StartList | undefined
  #evaluator: Promise<Evaluator> | undefined
  #state: Record<string, unknown>
  #stream: BatchStream
  #step: number
  /** The newest checkpoint that has this run's state. */
  #checkpoint: { readonly path: string; readonly step: number } | undefined
  #underWay: StepUnderWay[] = []

  private constructor(parts: {
    session: Session
    options: TrainerOptions
    program: Executable<any, any>
    stateStructure: TreeStructure
    parameterSpec: unknown
    begin: (checkpoint: string | undefined) => Promise<Beginning>
    beginning: Beginning
  }) {
    const { state, stream, step, totals, checkpoint, started } = parts.beginning
    const { run, config } = parts.options
    this.#session = parts.session
    this.#options = parts.options
    this.#program = parts.program
    this.#meter = new StepMeter(totals, run.steps)
    this.#watch = new DivergenceWatch(run.divergence, config.vocabularySize)
    this.#stateStructure = parts.stateStructure
    this.#parameterSpec = parts.parameterSpec
    this.#begin = parts.begin
    this.#started = started
    this.#state = state
    this.#stream = stream
    this.#step = step
    this.#checkpoint = checkpoint === undefined ? undefined : { path: checkpoint, step }
  }

  /**
   * Compiles the programs and draws the first state, or takes it from a checkpoint. Throws `TrainError` where a checkpoint cannot be used
   * (its differing keys are named), and what data and compiler throw.
   */
  static async create(session: Session, options: TrainerOptions): Promise<Trainer> {
    const { run, config, tokenizer } = options
    if (tokenizer.vocabularySize > config.vocabularySize)
      throw new TrainError(`the tokenizer '${tokenizer.kind}' has ${tokenizer.vocabularySize} ids, the model's vocabularySize is ${config.vocabularySize}`, 'RUN_CONFIGURATION', {
        hint: `set vocabularySize to ${tokenizer.vocabularySize} or more`,
      })
    if (config.computeDtype === 'f64')
      throw new TrainError('computeDtype "f64" is for checking gradients: models are trained in "f32" or "bf16"', 'RUN_CONFIGURATION')
    const init = session.lower(() => initProgram(options, run))
    const spec = stateSpec(init)
    const beginHere = (checkpoint: string | undefined): Promise<Beginning> => begin(session, options, init, checkpoint)
    const beginning = await beginHere(options.resume)
    const program = await session.compile(session.lower(() => trainProgram(options, run, spec)))
    return new Trainer({ session, options, program, stateStructure: init.outputStructure, parameterSpec: spec.parameters, begin: beginHere, beginning })
  }

  /** Steps done. */
  get step(): number {
    return this.#step
  }

  /** What was taken of the checkpoint that this run began from; undefined where it goes on, and where all was drawn. */
  get started(): StartList | undefined {
    return this.#started
  }

  /** Compiling, memory and cost of the train step. */
  get statistics() {
    return this.#program.statistics
  }

  /** Number of parameters. */
  get parameterCount(): number {
    return flatten(this.#state.parameters, isDeviceBuffer, 'the parameters').leaves.reduce((sum, { type }) => sum + type.shape.reduce((a, b) => a * b, 1), 0)
  }

  /** Number of those that are frozen. */
  get frozenCount(): number {
    const { leaves, structure } = flatten(this.#state.parameters, isDeviceBuffer, 'the parameters')
    const frozen = frozenParameters(leafPaths(structure), this.#options.run)
    return leaves.reduce((sum, { type }, i) => sum + (frozen[i] ? type.shape.reduce((a, b) => a * b, 1) : 0), 0)
  }

  /** The parameters on the device; they are gone with the next step. */
  get parameters(): unknown {
    return this.#state.parameters
  }

  /** Copies the training state to the host, by name. */
  async readState(): Promise<Record<string, HostArray>> {
    await this.#drain()
    return Object.fromEntries(await Promise.all(this.#tensors().map(async ({ name, read }) => [name, await read()] as const)))
  }

  /**
   * Trains until the configured step. Rejects with `DivergedError` for a loss or gradient that is not finite and for a loss that stays too
   * high, with the runner's error if it dies, and with `DataError` if the last checkpoint cannot be written.
   */
  async run(options: RunOptions = {}, listener: TrainListener = {}): Promise<RunResult> {
    const { run, heldOut } = this.#options
    const { signal, checkpoints } = options
    let best = checkpoints === undefined ? undefined : await bestCheckpoint(checkpoints)
    let evaluation: Evaluation | undefined
    const isBest = ({ bitsPerByte }: HeldOutLoss): boolean => best === undefined || bitsPerByte < best.bitsPerByte
    const tellBest = async (path: string, loss: HeldOutLoss): Promise<void> => {
      best = { path, step: this.#step, ...loss }
      await listener.best?.(path, this.#step, loss)
    }
    const save = async (loss?: HeldOutLoss): Promise<void> => {
      if (checkpoints === undefined || this.#isSavedIn(checkpoints)) return
      const path = await this.save(checkpoints, loss)
      await listener.saved?.(path, this.#step)
      if (loss && isBest(loss)) await tellBest(path, loss)
    }
    const evaluate = async (): Promise<HeldOutLoss | undefined> => {
      if (!heldOut?.length) return undefined
      evaluation = await this.evaluate()
      await listener.evaluated?.({ ...evaluation, step: this.#step })
      const { bitsPerByte, perplexity, tokens } = evaluation
      // A loss that is not finite says nothing, and JSON has no such number.
      return Number.isFinite(bitsPerByte) && Number.isFinite(perplexity) ? { bitsPerByte, perplexity, tokens, split: run.evaluation.split } : undefined
    }
    this.#meter.resume()
    try {
      while (this.#step < run.steps && !signal?.aborted) {
        this.#startStep()
        const last = this.#step === run.steps
        const due = (every: number): boolean => !last && every > 0 && this.#step % every === 0
        if (this.#underWay.length > stepsAhead) await this.#look(listener)
        const [toEvaluate, toSave] = [due(run.evaluation.every), due(run.checkpoints.every)]
        if (toEvaluate || toSave) {
          await this.#drain(listener)
          this.#meter.pause()
          const loss = toEvaluate ? await evaluate() : undefined
          if (toSave || (loss && run.checkpoints.best && isBest(loss)))
            await save(loss).catch(async (error: Error) => {
              await listener.notSaved?.(error, this.#step)
            })
          this.#meter.resume()
        }
        await turn()
      }
      await this.#drain(listener)
    } catch (error) {
      throw error instanceof Divergence ? await this.#diverged(error, options, listener) : error
    }
    this.#meter.pause()
    await save()
    const done = this.#step >= run.steps
    if (done) {
      const loss = await evaluate()
      if (loss && checkpoints !== undefined) {
        const { path } = this.#checkpoint!
        await recordHeldOut(path, loss, run.checkpoints)
        if (isBest(loss)) await tellBest(path, loss)
      }
    }
    return {
      reason: done ? 'done' : 'interrupted',
      step: this.#step,
      totals: this.#meter.totals,
      evaluation,
      checkpoint: this.#checkpoint?.path,
      best: best && { path: best.path, step: best.step, bitsPerByte: best.bitsPerByte },
    }
  }

  /** Whether the present state is the newest checkpoint of a folder. */
  #isSavedIn(folder: string): boolean {
    return this.#checkpoint?.step === this.#step && resolve(dirname(this.#checkpoint.path)) === resolve(folder)
  }

  /** Evaluates on held-out documents, with a model state of its own. Throws if there are none. */
  async evaluate(documents: readonly TokenDocument[] = this.#options.heldOut ?? []): Promise<Evaluation> {
    const { run, tokenizer } = this.#options
    if (documents.length === 0) throw new TrainError('there are no held-out documents to evaluate on', 'RUN_CONFIGURATION')
    this.#evaluator ??= Evaluator.create(this.#session, this.#options, evaluationSlots(run), this.#parameterSpec)
    return (await this.#evaluator).evaluate(this.#state.parameters, documents, {
      tokenizer,
      tokens: run.evaluation.tokens,
      maxDocumentTokens: run.data.maxDocumentTokens,
    })
  }

  /**
   * Writes a checkpoint, with the loss on held-out documents where that is known, and answers its path. Throws `DataError` `DISK_FULL`,
   * `FILE_UNWRITABLE`, `TrainError` `CHECKPOINT_NOT_FINITE`.
   */
  async save(folder: string, heldOut: HeldOutLoss | null = null): Promise<string> {
    await this.#drain()
    const path = await writeCheckpoint(folder, this.#tensors(), { ...this.#manifestFacts(), heldOut }, this.#options.run.checkpoints)
    this.#checkpoint = { path, step: this.#step }
    return path
  }

  #manifestFacts(): ManifestFacts {
    const { run, config, tokenizer, modelSource, versions } = this.#options
    return {
      step: this.#step,
      totals: this.#meter.totals,
      heldOut: null,
      model: config,
      modelSource: modelSource ?? null,
      run,
      tokenizer: tokenizer.describe(),
      dataPosition: this.#stream.position(),
      seeds: { seed: run.seed, dataSeed: run.dataSeed },
      versions: { ...versions, ...this.#session.backend.versions },
    }
  }

  /** Frees the device's memory. */
  async release(): Promise<void> {
    await (await this.#evaluator)?.release()
    await this.#program.release()
    this.#releaseState()
  }

  #releaseState(): void {
    for (const buffer of flatten(this.#state, isDeviceBuffer, 'the training state').leaves) buffer.release()
  }

  #startStep(): void {
    const batch = this.#stream.next()
    const { tokens, targets, weights, start } = batch
    const { state, metrics, diagnostics } = this.#program.call(this.#state, { tokens, targets, weights, start }) as {
      state: Record<string, unknown>
      metrics: Record<string, DeviceBuffer>
      diagnostics: Record<string, DeviceBuffer>
    }
    this.#state = state
    this.#step++
    this.#underWay.push({ step: this.#step, batch, metrics, diagnostics })
  }

  /** Waits for the oldest step under way and looks at what it measured. Throws `Divergence`. */
  async #look(listener: TrainListener = {}): Promise<void> {
    const oldest = this.#underWay.shift()!
    const { step } = oldest
    const due = step % this.#options.run.logEvery === 0 || step === 1 || step === this.#options.run.steps
    const facts = await readFacts(oldest, due)
    releaseStep(oldest)
    const why = this.#watch.look(facts)
    if (why !== undefined) throw new Divergence(why, facts, oldest.batch)
    this.#meter.add(facts)
    if (due) await listener.report?.(this.#meter.report(facts))
  }

  async #drain(listener?: TrainListener): Promise<void> {
    while (this.#underWay.length > 0) await this.#look(listener)
  }

  /** Keeps the inputs of the step that diverged, as far as they can be had, and answers the error. That this fails must not hide it. */
  async #diverged(divergence: Divergence, { failures, signal }: RunOptions, listener: TrainListener): Promise<DivergedError> {
    const { why, batch, facts: { step, loss, gradientNorm } } = divergence
    const facts = { step, loss, gradientNorm, why }
    if (failures === undefined) return new DivergedError(facts)
    const { seed, dataSeed } = this.#options.run
    const finite = (value: number): number | null => (Number.isFinite(value) ? value : null)
    const saved = { ...facts, loss: finite(loss), gradientNorm: finite(gradientNorm), seeds: { seed, dataSeed } }
    try {
      const whole = await this.#goBackBefore(step, listener, signal).catch(() => false)
      const { path, failure } = await writeFailure(failures, saved, batch, whole ? { tensors: this.#tensors(), facts: this.#manifestFacts() } : undefined)
      return new DivergedError({ ...facts, saved: { path, whole, notFiniteBefore: Object.keys(failure.notFiniteBefore ?? {}) } })
    } catch {
      return new DivergedError(facts)
    }
  }

  /**
   * Brings back the state before a step, which the steps since have taken over: from the newest checkpoint, or the beginning of the run, the
   * same steps are done again. Answers false where they are too many, or the work was interrupted.
   */
  async #goBackBefore(step: number, listener: TrainListener, signal: AbortSignal | undefined): Promise<boolean> {
    const from = this.#checkpoint?.step ?? 0
    if (step - 1 - from > mostStepsAgain) return false
    await listener.goingBack?.(step, from)
    this.#underWay.splice(0).forEach(releaseStep)
    this.#releaseState()
    const { state, stream } = await this.#begin(this.#checkpoint?.path)
    this.#state = state
    this.#stream = stream
    this.#step = from
    while (this.#step < step - 1 && !signal?.aborted) {
      this.#startStep()
      const started = this.#underWay.pop()!
      await readFacts(started, false)
      releaseStep(started)
      await turn()
    }
    return this.#step === step - 1
  }

  #tensors(): StateTensor[] {
    const { leaves } = flatten(this.#state, isDeviceBuffer, 'the training state')
    return leafPaths(this.#stateStructure).map((name, i) => ({ name, type: leaves[i].type, read: () => leaves[i].read() }))
  }
}

/** A step that shows that training has diverged. */
class Divergence extends Error {
  readonly why: string
  readonly facts: StepFacts
  readonly batch: Batch
  constructor(why: string, facts: StepFacts, batch: Batch) {
    super(`training diverged in step ${facts.step}: ${why}`)
    this.why = why
    this.facts = facts
    this.batch = batch
  }
}
