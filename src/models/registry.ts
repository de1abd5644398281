import { InputError } from '../ir/errors.ts'
import { ConfigurationError, checkConfiguration, nearest } from './configuration.ts'
import { compressiveTransformer } from './compressive-transformer.ts'
import { memorizingTransformer } from './memorizing-transformer.ts'
import type { LanguageModel, ModelConfig } from './model.ts'
import { presetOf } from './presets.ts'
import { transformerXl } from './transformer-xl.ts'
import { transformer } from './transformer.ts'

const models: readonly LanguageModel<any>[] = [transformer, transformerXl, compressiveTransformer, memorizingTransformer]

/** The names of all models. */
export const modelNames: readonly string[] = models.map(({ name }) => name)

/** The model of a name. Throws `InputError` with the nearest name. */
export function findModel(name: string): LanguageModel<any> {
  const found = models.find((model) => model.name === name)
  if (found) return found
  const near = nearest(name, modelNames)
  throw new InputError(`there is no model ${name}${near ? `, did you mean ${near}?` : ''} (models: ${modelNames.join(', ')})`, 'UNKNOWN_MODEL')
}

export interface ConfiguredModel<Config extends ModelConfig = any> {
  readonly model: LanguageModel<Config>
  readonly config: Config
}

/** The model that `value.model` names, with its checked configuration. Throws `InputError`, `ConfigurationError`. */
export function configure(value: unknown): ConfiguredModel {
  const name = typeof value === 'object' && value !== null ? (value as { model?: unknown }).model : undefined
  if (typeof name !== 'string') throw new ConfigurationError(`a model's configuration: model: missing (one of ${modelNames.join(', ')})`, 'model')
  const model = findModel(name)
  return { model, config: checkConfiguration(model.schema, value, `the configuration of ${name}`) }
}

/**
 * A preset of a model with some of its keys changed: `preset('memorizing-transformer', 'tiny', { neighbours: 8 })`.
 * Throws `InputError` for an unknown name, `ConfigurationError` for changes that cannot be.
 */
export function preset(model: string, name: string, changes: Readonly<Record<string, unknown>> = {}): ConfiguredModel {
  return configure({ ...presetOf(findModel(model).name, name), ...changes })
}
