/**
 * The training room's engine. A `Trainer` compiles the programs of a run once, keeps the whole training state on the device, where each step
 * takes it over from the one before, and feeds batches. Steps are started before earlier ones have ended: what a step measured is
 * read a few steps later, so that the device never waits for this process, and still every loss is looked at.
 */
import { writeSafetensors } from '../data/safetensors.ts'
import { type Batch, type BatchStream, createBatchStream } from '../data/packing.ts'
import type { Tokenizer } from '../data/tokenizer.ts'
import type { TokenDocument } from '../data/token-documents.ts'
import type { DeviceBuffer } from '../ir/backend.ts'
import type { HostArray } from '../ir/host-array.ts'
import { type Executable, type Session, isDeviceBuffer } from '../program/session.ts'
import { type TreeStructure, flatten, leafPaths, unflatten } from '../trace/tree.ts'
import { type StateTensor, findCheckpoint, listed, readManifest, readTensors, writeCheckpoint } from './checkpoint.ts'
import type { Totals } from './checkpoint-manifest.ts'
import { DivergedError, TrainError } from './errors.ts'
import { type Evaluation, Evaluator, turn } from './evaluator.ts'
import { type TrainedModel, evaluationSlots, initProgram, seedKey, stateSpec, trainProgram } from './programs.ts'
import { type RunConfig, checkRunConfig, differences, fixedPart } from './run-config.ts'
import { type StepFacts, StepMeter, type StepReport } from './step-meter.ts'

/** Steps that may be under way before the oldest's metrics are waited for. */
const stepsAhead = 2

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
  /** A checkpoint could not be written; training goes on. */
  notSaved?(error: Error, step: number): void | Promise<void>
}

export interface RunOptions {
  /** Folder of the checkpoints; without it none are written. */
  readonly checkpoints?: string | undefined
  /** Where the inputs of a step that diverged are written. */
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
}

/** A step that was started and not yet looked at. */
interface StepUnderWay {
  readonly step: number
  readonly batch: Batch
  readonly metrics: Readonly<Record<string, DeviceBuffer>>
  readonly diagnostics: Readonly<Record<string, DeviceBuffer>>
}

/** A training run on a session; make it with `Trainer.create`. */
export class Trainer {
  readonly #session: Session
  readonly #options: TrainerOptions
  readonly #program: Executable<any, any>
  readonly #stream: BatchStream
  readonly #meter: StepMeter
  readonly #stateStructure: TreeStructure
  readonly #parameterSpec: unknown
  #evaluator: Promise<Evaluator> | undefined
  #state: Record<string, unknown>
  #step: number
  #underWay: StepUnderWay[] = []

  private constructor(parts: {
    session: Session
    options: TrainerOptions
    program: Executable<any, any>
    stream: BatchStream
    totals: Totals
    stateStructure: TreeStructure
    parameterSpec: unknown
    state: Record<string, unknown>
    step: number
  }) {
    this.#session = parts.session
    this.#options = parts.options
    this.#program = parts.program
    this.#stream = parts.stream
    this.#meter = new StepMeter(parts.totals, parts.options.run.steps)
    this.#stateStructure = parts.stateStructure
    this.#parameterSpec = parts.parameterSpec
    this.#state = parts.state
    this.#step = parts.step
  }

  /**
   * Compiles the programs and draws the first state, or takes it from a checkpoint. Throws `TrainError` where a checkpoint cannot be used
   * (its differing keys are named), and what data and compiler throw.
   */
  static async create(session: Session, options: TrainerOptions): Promise<Trainer> {
    const { run, config, tokenizer, train } = options
    if (tokenizer.vocabularySize > config.vocabularySize)
      throw new TrainError(`the tokenizer '${tokenizer.kind}' has ${tokenizer.vocabularySize} ids, the model's vocabularySize is ${config.vocabularySize}`, 'RUN_CONFIGURATION', {
        hint: `set vocabularySize to ${tokenizer.vocabularySize} or more`,
      })
    const init = initProgram(options, run)
    const spec = stateSpec(init)
    const resumed = options.resume === undefined ? undefined : await readResumed(options, options.resume, init.outputStructure, init.outputs)
    const stream = createBatchStream(
      train,
      { slots: run.batchSize, segment: config.segmentLength, tokenizer, seed: run.dataSeed, maxDocumentTokens: run.data.maxDocumentTokens },
      resumed?.manifest.dataPosition,
    )
    const program = await session.compile(trainProgram(options, run, spec))
    return new Trainer({
      session,
      options,
      program,
      stream,
      totals: resumed?.manifest.totals ?? { tokens: 0, bytes: 0, seconds: 0 },
      stateStructure: init.outputStructure,
      parameterSpec: spec.parameters,
      state: resumed ? (session.put(resumed.state) as Record<string, unknown>) : await drawState(session, init, run.seed),
      step: resumed?.manifest.step ?? 0,
    })
  }

  /** Steps done. */
  get step(): number {
    return this.#step
  }

  /** Compiling, memory and cost of the train step. */
  get statistics() {
    return this.#program.statistics
  }

  /** Number of parameters. */
  get parameterCount(): number {
    return flatten(this.#state.parameters, isDeviceBuffer, 'the parameters').leaves.reduce((sum, { type }) => sum + type.shape.reduce((a, b) => a * b, 1), 0)
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
   * Trains until the configured step. Rejects with `DivergedError` for a loss or gradient that is not finite, with the runner's error if it
   * dies, and with `DataError` if the last checkpoint cannot be written.
   */
  async run(options: RunOptions = {}, listener: TrainListener = {}): Promise<RunResult> {
    const { run, heldOut } = this.#options
    const { signal, checkpoints } = options
    let evaluation: Evaluation | undefined
    let checkpoint: string | undefined
    let savedAt = -1
    const save = async (): Promise<void> => {
      if (checkpoints === undefined || savedAt === this.#step) return
      checkpoint = await this.save(checkpoints)
      savedAt = this.#step
      await listener.saved?.(checkpoint, this.#step)
    }
    const evaluate = async (): Promise<void> => {
      if (!heldOut?.length) return
      evaluation = await this.evaluate()
      await listener.evaluated?.({ ...evaluation, step: this.#step })
    }
    this.#meter.resume()
    while (this.#step < run.steps && !signal?.aborted) {
      this.#startStep()
      const last = this.#step === run.steps
      const due = (every: number): boolean => !last && every > 0 && this.#step % every === 0
      if (this.#underWay.length > stepsAhead) await this.#look(options, listener)
      const [toEvaluate, toSave] = [due(run.evaluation.every), due(run.checkpoints.every)]
      if (toEvaluate || toSave) {
        await this.#drain(options, listener)
        this.#meter.pause()
        if (toEvaluate) await evaluate()
        if (toSave)
          await save().catch(async (error: Error) => {
            await listener.notSaved?.(error, this.#step)
          })
        this.#meter.resume()
      }
      await turn()
    }
    await this.#drain(options, listener)
    this.#meter.pause()
    await save()
    const done = this.#step >= run.steps
    if (done) await evaluate()
    return { reason: done ? 'done' : 'interrupted', step: this.#step, totals: this.#meter.totals, evaluation, checkpoint }
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

  /** Writes a checkpoint and answers its path. Throws `DataError` `DISK_FULL`, `FILE_UNWRITABLE`, `TrainError` `CHECKPOINT_NOT_FINITE`. */
  async save(folder: string): Promise<string> {
    await this.#drain()
    const { run, config, tokenizer, modelSource, versions } = this.#options
    return writeCheckpoint(
      folder,
      this.#tensors(),
      {
        step: this.#step,
        totals: this.#meter.totals,
        model: config,
        modelSource: modelSource ?? null,
        run,
        tokenizer: tokenizer.describe(),
        dataPosition: this.#stream.position(),
        seeds: { seed: run.seed, dataSeed: run.dataSeed },
        versions: { ...versions, ...this.#session.backend.versions },
      },
      run.checkpoints.keep,
    )
  }

  /** Frees the device's memory. */
  async release(): Promise<void> {
    await (await this.#evaluator)?.release()
    await this.#program.release()
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

  /** Waits for the oldest step under way and looks at what it measured. */
  async #look({ failures }: RunOptions = {}, listener: TrainListener = {}): Promise<void> {
    const oldest = this.#underWay.shift()!
    const { step, batch, metrics, diagnostics } = oldest
    const due = step % this.#options.run.logEvery === 0 || step === 1 || step === this.#options.run.steps
    const facts = await readFacts(oldest, due)
    for (const buffer of [...Object.values(metrics), ...Object.values(diagnostics)]) buffer.release()
    if (!Number.isFinite(facts.loss) || !Number.isFinite(facts.gradientNorm)) {
      const savedInputs = failures === undefined ? undefined : await saveInputs(failures, step, batch)
      throw new DivergedError({ step, loss: facts.loss, gradientNorm: facts.gradientNorm, savedInputs })
    }
    this.#meter.add(facts)
    if (due) await listener.report?.(this.#meter.report(facts))
  }

  async #drain(options?: RunOptions, listener?: TrainListener): Promise<void> {
    while (this.#underWay.length > 0) await this.#look(options, listener)
  }

  #tensors(): StateTensor[] {
    const { leaves } = flatten(this.#state, isDeviceBuffer, 'the training state')
    return leafPaths(this.#stateStructure).map((name, i) => ({ name, type: leaves[i].type, read: () => leaves[i].read() }))
  }
}

async function readFacts({ step, batch, metrics, diagnostics }: StepUnderWay, withDiagnostics: boolean): Promise<StepFacts> {
  const number = async (buffer: DeviceBuffer): Promise<number> => (await buffer.read()).item()
  const { loss, total, count, correct, gradientNorm, auxiliary } = metrics
  const [numbers, trainedBeside, looked] = await Promise.all([
    Promise.all([loss, total, count, correct, gradientNorm].map(number)),
    auxiliary && number(auxiliary),
    withDiagnostics ? Promise.all(Object.entries(diagnostics).map(async ([name, buffer]) => [name, Array.from((await buffer.read()).data, Number)] as const)) : [],
  ])
  const [meanLoss, nats, weight, right, norm] = numbers
  return {
    step,
    loss: meanLoss,
    nats,
    weight,
    correct: right,
    gradientNorm: norm,
    ...(trainedBeside === undefined ? {} : { auxiliary: trainedBeside }),
    tokens: batch.counts.tokens,
    bytes: batch.counts.bytes,
    diagnostics: Object.fromEntries(looked),
  }
}

/** Writes what a step read, to look at; that this fails must not hide the divergence. */
async function saveInputs(folder: string, step: number, { tokens, targets, weights, start }: Batch): Promise<string | undefined> {
  const path = `${folder}/failed-step-${String(step).padStart(8, '0')}.safetensors`
  try {
    await writeSafetensors(path, { tokens, targets, weights, start }, { step: String(step) })
    return path
  } catch {
    return undefined
  }
}

async function drawState(session: Session, init: ReturnType<typeof initProgram>, seed: number): Promise<Record<string, unknown>> {
  const compiled = await session.compile(init)
  const state = compiled.call(seedKey(seed)) as unknown as Record<string, unknown>
  await compiled.release()
  return state
}

async function readResumed(options: TrainerOptions, from: string, structure: TreeStructure, types: readonly HostArray['type'][]) {
  const path = await findCheckpoint(from)
  const manifest = await readManifest(path)
  const differing = differences(fixedPart(manifest.model, checkRunConfig(manifest.run)), fixedPart(options.config, options.run))
  if (differing.length > 0)
    throw new TrainError(`the checkpoint ${path} was trained with another configuration:${listed(differing)}`, 'CHECKPOINT_MISMATCH', {
      hint: 'resume with the configuration of the run; steps, evaluation, checkpoints and logEvery may change',
    })
  const arrays = await readTensors(path, leafPaths(structure).map((name, i) => ({ name, type: types[i] })))
  return { manifest, state: unflatten(structure, arrays) as Record<string, unknown> }
}
