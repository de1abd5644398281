import { checkConfiguration } from '../models/configuration.ts'
import { type BackendName, startSession } from '../program/start.ts'
import { isDeviceBuffer } from '../program/session.ts'
import { notFiniteCount, readManifest, readTensors } from '../train/checkpoint.ts'
import { type Failure, readFailure } from '../train/failure.ts'
import { initProgram, stateSpec, trainProgram } from '../train/programs.ts'
import { checkRunConfig } from '../train/run-config.ts'
import { flatten, leafPaths, unflatten } from '../trace/tree.ts'
import { loadModel } from './model-reference.ts'

/** A failed step, run again. */
export interface Replay {
  readonly failure: Failure
  /** What the step measures now: loss, gradient norm and the rest. */
  readonly metrics: Readonly<Record<string, number>>
  /** Numbers of the state after the step that are NaN or infinity, by tensor. */
  readonly notFiniteAfter: Readonly<Record<string, number>>
}

/** Runs the step of a folder `failures/step-00000231` again. Throws `TrainError`, `DataError`, `ConfigurationError`. */
export async function replayFailure(path: string, backend: BackendName): Promise<Replay> {
  const { failure, batch } = await readFailure(path)
  const manifest = await readManifest(path)
  const { model } = await loadModel(manifest.modelSource ?? `${manifest.model.model}:tiny`, manifest.model)
  const trained = { model, config: checkConfiguration(model.schema, manifest.model, `the configuration in ${path}`) }
  const run = checkRunConfig(manifest.run)
  const init = initProgram(trained, run)
  const names = leafPaths(init.outputStructure)
  const arrays = await readTensors(path, names.map((name, i) => ({ name, type: init.outputs[i] })), { anyNumbers: true })
  const session = await startSession(backend)
  try {
    const program = await session.compile(session.lower(() => trainProgram(trained, run, stateSpec(init))))
    const { state, metrics } = program.call(session.put(unflatten(init.outputStructure, arrays)) as never, batch as never)
    const after = await Promise.all(flatten(state, isDeviceBuffer, 'the state').leaves.map(async (leaf, i) => [names[i], notFiniteCount(await leaf.read())] as const))
    const measured = await Promise.all(Object.entries(metrics).map(async ([name, buffer]) => [name, (await buffer.read()).item() as number] as const))
    return { failure, metrics: Object.fromEntries(measured), notFiniteAfter: Object.fromEntries(after.filter(([, count]) => count > 0)) }
  } finally {
    await session.close()
  }
}

/** What was found, as text. */
export function replayText({ failure, metrics, notFiniteAfter }: Replay): string {
  const tensors = (counts: Readonly<Record<string, number>>): string => {
    const lines = Object.entries(counts).map(([name, count]) => `  ${name}: ${count}`)
    return lines.length === 0 ? '  none\n' : `${lines.join('\n')}\n`
  }
  return (
    `step ${failure.step}, as it was: ${failure.why}\n` +
    `again: ${Object.entries(metrics).map(([name, value]) => `${name} ${value}`).join('  ')}\n` +
    `NaN or infinity in the state before:\n${tensors(failure.notFiniteBefore ?? {})}in the state after:\n${tensors(notFiniteAfter)}`
  )
}
