import { existsSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { writeFileAtomic } from '../data/atomic-file.ts'
import { lossUnits } from '../data/loss-units.ts'
import { tokenizerFrom } from '../data/tokenizers.ts'
import { checkConfiguration } from '../models/configuration.ts'
import { type BackendName, startSession } from '../program/start.ts'
import { packageRoot } from '../runner/python.ts'
import { listCheckpoints } from '../train/checkpoint-folder.ts'
import { findCheckpoint, readManifest, runOfCheckpoint } from '../train/checkpoint.ts'
import { openTrainingData } from '../train/corpus.ts'
import { type RunConfigInput, checkRunConfig } from '../train/run-config.ts'
import { type RunFolder, type SavedConfig, appendMetrics, assertNewRun, createRunFolder, openRunFolder, rewindMetrics, runFolder, saveConfig, startFile } from '../train/run-folder.ts'
import { type RunResult, type TrainListener, Trainer } from '../train/trainer.ts'
import { interruption } from './interruption.ts'
import { type NamedModel, loadModel } from './model-reference.ts'
import { evaluationLine, reportLine } from './progress.ts'
import { startTokenizer } from './start-model.ts'
import { startText } from './start-text.ts'
import { writeRunReport } from './run-report.ts'
import { packageVersion } from './version.ts'

/** A run that is ready to start. */
export interface PreparedRun {
  readonly folder: RunFolder
  readonly named: NamedModel
  readonly config: SavedConfig
  readonly resume: string | undefined
}

/** Checks everything before the folder is made. Throws `ConfigurationError`, `TrainError` `RUN_EXISTS`. */
export async function prepareNewRun(path: string, named: NamedModel, run: RunConfigInput): Promise<PreparedRun> {
  const config: SavedConfig = { reference: named.reference, model: named.config, run: checkRunConfig(run) }
  await assertNewRun(path)
  return { folder: runFolder(path), named, config, resume: undefined }
}

/** A run that goes on from its newest checkpoint, or from the one that `path` names; one that has none yet begins again. */
export async function prepareResumedRun(path: string, steps: number | undefined): Promise<PreparedRun> {
  const checkpoint = existsSync(join(path, 'config.json')) ? (await listCheckpoints(runFolder(path).checkpoints)).at(-1) : await findCheckpoint(path)
  const { folder, config } = await openRunFolder(checkpoint === undefined ? path : runOfCheckpoint(checkpoint))
  const { model } = await loadModel(config.reference, config.model)
  const named = { reference: config.reference, model, config: checkConfiguration(model.schema, config.model, `the configuration of ${folder.path}`) }
  return { folder, named, config: { ...config, run: { ...config.run, steps: steps ?? config.run.steps } }, resume: checkpoint }
}

/** Trains, telling on stdout what happens; the run's folder is made or gone on with. */
export async function performRun({ folder, named, config, resume }: PreparedRun, { backend, json }: { backend: BackendName; json: boolean }): Promise<RunResult> {
  const { run } = config
  const tell = (event: string, facts: Record<string, unknown>, line: string): void => {
    process.stdout.write(`${json ? JSON.stringify({ event, ...facts }) : line}\n`)
  }
  const data = await openTrainingData(run.data, packageRoot, resume === undefined ? await startTokenizer(run) : tokenizerFrom((await readManifest(resume)).tokenizer))
  const session = await startSession(backend)
  const stop = interruption(`the step under way ends, then the state is saved in ${resolve(folder.checkpoints)}`)
  try {
    const trainer = await Trainer.create(session, {
      ...named,
      run,
      tokenizer: data.tokenizer,
      train: data.documents.train,
      heldOut: data.documents[run.evaluation.split],
      resume,
      modelSource: named.reference,
      versions: { engram: packageVersion, node: process.versions.node },
    })
    if (resume === undefined) await createRunFolder(folder.path, config)
    else {
      await saveConfig(folder.path, config)
      await rewindMetrics(folder, trainer.step)
    }
    const { train } = data.sizes
    const versions = { engram: packageVersion, node: process.versions.node, ...session.backend.versions }
    await appendMetrics(folder, { event: 'start', step: trainer.step, steps: run.steps, parameters: trainer.parameterCount, backend, seeds: { seed: run.seed, dataSeed: run.dataSeed }, versions })
    tell('start', { run: folder.path, step: trainer.step, steps: run.steps, parameters: trainer.parameterCount, frozen: trainer.frozenCount, corpus: data.name, backend, compileSeconds: trainer.statistics.compileSeconds },
      `${named.reference}: ${trainer.parameterCount.toLocaleString('en')} parameters${trainer.frozenCount === 0 ? '' : `, ${trainer.frozenCount.toLocaleString('en')} of them frozen`}; ${data.name}: ${train.documents} documents of ${(train.bytes / 1e6).toFixed(1)} MB to train on; ` +
        `compiled in ${trainer.statistics.compileSeconds.toFixed(1)} s${resume === undefined ? '' : `; going on after step ${trainer.step}`}`)
    if (trainer.started) {
      const list = trainer.started
      await writeFileAtomic(join(folder.path, startFile), (writer) => writer.write(new TextEncoder().encode(`${JSON.stringify(list, null, 2)}\n`)))
      tell('from', { ...list }, startText(list))
    }
    const listener: TrainListener = {
      report: async (report) => {
        await appendMetrics(folder, { event: 'report', ...report })
        tell('report', { ...report }, reportLine(report, run.steps))
      },
      evaluated: async (evaluation) => {
        await appendMetrics(folder, { event: 'evaluation', ...evaluation })
        tell('evaluation', { ...evaluation }, evaluationLine(evaluation))
      },
      saved: async (path, step) => {
        await appendMetrics(folder, { event: 'checkpoint', step, path: basename(path) })
        tell('checkpoint', { step, path }, `checkpoint: ${path}`)
      },
      best: async (path, step, heldOut) => {
        await appendMetrics(folder, { event: 'best', step, path: basename(path), ...heldOut })
        tell('best', { step, path, ...heldOut }, `best so far: ${basename(path)}, bits/byte ${heldOut.bitsPerByte.toFixed(4)}  perplexity ${heldOut.perplexity.toFixed(2)}`)
      },
      goingBack: (step, from) => {
        process.stderr.write(`engram: training diverged in step ${step}; going again from step ${from} to keep the state before it (Ctrl-C: keep the batch alone)\n`)
      },
      notSaved: async (error, step) => {
        process.stderr.write(`engram: warning: no checkpoint after step ${step}: ${error.message}\n`)
        if (json) tell('checkpointFailed', { step, message: error.message }, '')
        await appendMetrics(folder, { event: 'checkpointFailed', step, message: error.message }).catch(() => {})
      },
    }
    const result = await trainer.run({ checkpoints: folder.checkpoints, failures: join(folder.path, 'failures'), signal: stop.signal }, listener)
    const report = await writeRunReport(folder, named, run, data.name, versions)
    const { tokens, seconds } = result.totals
    const again = `engram train --resume ${folder.path}`
    tell('done', { reason: result.reason, run: folder.path, step: result.step, tokens, seconds, checkpoint: result.checkpoint ?? null, best: result.best ?? null, report, evaluation: result.evaluation ? lossUnits(result.evaluation) : null },
      result.reason === 'done'
        ? `done: ${result.step} steps, ${tokens.toLocaleString('en')} tokens in ${seconds.toFixed(0)} s${result.best ? `\nbest: ${result.best.path}, bits/byte ${result.best.bitsPerByte.toFixed(4)}` : ''}\nreport: ${report}`
        : `interrupted after step ${result.step}; the state is saved. Go on with:\n  ${again}`)
    return result
  } catch (error) {
    await adviseResume(error, folder)
    throw error
  } finally {
    stop.forget()
    data.close()
    await session.close()
  }
}

/** If the run can go on from a checkpoint, the error gets that as its hint. */
async function adviseResume(error: unknown, folder: RunFolder): Promise<void> {
  if (!(error instanceof Error) || (error as { hint?: unknown }).hint !== undefined) return
  const checkpoint = await findCheckpoint(folder.path).catch(() => undefined)
  if (checkpoint !== undefined) Object.assign(error, { hint: `go on from ${checkpoint}: engram train --resume ${folder.path}` })
}
