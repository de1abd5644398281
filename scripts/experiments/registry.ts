import { InputError } from '../../src/ir/errors.ts'
import { nearest } from '../../src/models/configuration.ts'
import type { Experiment } from './experiment.ts'

/** The experiments, each a module of this folder by its name. */
const experiments: Readonly<Record<string, () => Promise<{ experiment: Experiment }>>> = {
  'memory-size': () => import('./memory-size.ts'),
  'model-size': () => import('./model-size.ts'),
  'memory-resize': () => import('./memory-resize.ts'),
  'fine-tuning': () => import('./fine-tuning.ts'),
  compression: () => import('./compression.ts'),
  search: () => import('./search.ts'),
}

export const experimentNames = Object.keys(experiments)

/** Throws `InputError` with the nearest name. */
export async function loadExperiment(name: string): Promise<Experiment> {
  if (!Object.hasOwn(experiments, name)) {
    const near = nearest(name, experimentNames)
    throw new InputError(`there is no experiment ${name}${near ? `, did you mean ${near}?` : ''} (experiments: ${experimentNames.join(', ')})`, 'UNKNOWN_EXPERIMENT')
  }
  return (await experiments[name]()).experiment
}
