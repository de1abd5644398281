import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { EngramError } from '../ir/errors.ts'
import { nearest } from '../models/configuration.ts'
import type { LanguageModel } from '../models/model.ts'
import { presetNames } from '../models/presets.ts'
import { type ConfiguredModel, configure, findModel, modelNames, preset } from '../models/registry.ts'
import { checkConfiguration } from '../models/configuration.ts'
import { Program } from '../program/program.ts'

/** What stands for a model on the command line cannot be read. */
export class ModelReferenceError extends EngramError {
  override readonly name = 'ModelReferenceError'
  constructor(message: string) {
    super(message, { code: 'MODEL_REFERENCE' })
  }
}

/** For `--help`: how a model is named. */
export const modelHelp = `MODEL is a preset (${presetNames.join(', ')}), a model and a preset
(${modelNames.map((name) => `${name}:tiny`).join(', ')}),
or an export of a TypeScript file: ./my-model.ts#model. A preset alone is of the memorizing-transformer.`

export interface NamedModel extends ConfiguredModel {
  /** As it was given: a preset or `file#export`. */
  readonly reference: string
}

/** The model that a reference names, with `changes` to its configuration. Throws `ModelReferenceError`, `ConfigurationError`. */
export async function loadModel(reference: string, changes: Readonly<Record<string, unknown>> = {}): Promise<NamedModel> {
  if (isFileReference(reference)) {
    const exported = await loadExport(reference, 'model')
    return { reference, ...modelOfExport(exported, reference, changes) }
  }
  const [first, second, ...rest] = reference.split(':')
  if (rest.length) throw new ModelReferenceError(`${reference} is not a model: expected PRESET or MODEL:PRESET`)
  const [model, name] = second === undefined ? ['memorizing-transformer', first] : [first, second]
  if (second === undefined && modelNames.includes(first))
    throw new ModelReferenceError(`${first} is a model, say which size too: ${presetNames.map((size) => `${first}:${size}`).join(', ')}`)
  return { reference, ...preset(model, name, changes) }
}

export const isFileReference = (reference: string): boolean => /\.[cm]?[jt]s(#|$)/.test(reference)

/** A `LanguageModel` and its configuration, or a plain configuration of one of ours. */
function modelOfExport(exported: unknown, reference: string, changes: Readonly<Record<string, unknown>>): ConfiguredModel {
  if (isLanguageModel(exported)) return { model: exported, config: checkConfiguration(exported.schema, changes, `the configuration of ${reference}`) }
  if (isConfigured(exported))
    return { model: exported.model, config: checkConfiguration(exported.model.schema, { ...exported.config, ...changes }, `the configuration of ${reference}`) }
  if (typeof exported === 'object' && exported !== null && typeof (exported as { model?: unknown }).model === 'string') {
    const { model } = exported as { model: string }
    findModel(model)
    return configure({ ...exported, ...changes })
  }
  throw new ModelReferenceError(
    `${reference} is not a model: expected a LanguageModel, { model, config }, or a configuration such as { model: 'memorizing-transformer', ... }`,
  )
}

const isLanguageModel = (value: unknown): value is LanguageModel<any> =>
  typeof value === 'object' && value !== null && typeof (value as LanguageModel).apply === 'function' && typeof (value as LanguageModel).initialParameters === 'function'
const isConfigured = (value: unknown): value is ConfiguredModel =>
  typeof value === 'object' && value !== null && isLanguageModel((value as ConfiguredModel).model) && typeof (value as ConfiguredModel).config === 'object'

/** The export that `file#name` names; without `#name` it is `fallback`, then `default`, then the only one. */
export async function loadExport(reference: string, fallback: string): Promise<unknown> {
  const at = reference.lastIndexOf('#')
  const path = resolve(at < 0 ? reference : reference.slice(0, at))
  if (!existsSync(path)) throw new ModelReferenceError(`${reference}: there is no file ${path}`)
  let module: Record<string, unknown>
  try {
    module = (await import(pathToFileURL(path).href)) as Record<string, unknown>
  } catch (error) {
    if (error instanceof EngramError) throw error
    throw new ModelReferenceError(`${reference}: the file does not load: ${error instanceof Error ? error.message : String(error)}`)
  }
  const names = Object.keys(module)
  const name = at >= 0 ? reference.slice(at + 1) : [fallback, 'default'].find((candidate) => names.includes(candidate)) ?? (names.length === 1 ? names[0] : fallback)
  if (!names.includes(name)) {
    const near = nearest(name, names)
    throw new ModelReferenceError(`${reference}: the file has no export ${name}${near ? `, did you mean ${near}?` : ''} (exports: ${names.join(', ') || 'none'})`)
  }
  return module[name]
}

/** A program that a file exports: a `Program`, or a function without arguments that gives one, which `lowering` calls. */
export async function loadProgram(reference: string, lowering: <R>(build: () => R) => R = (build) => build()): Promise<Program<any, any>> {
  const exported = await loadExport(reference, 'program')
  const value: unknown = typeof exported === 'function' ? await lowering(exported as () => unknown) : exported
  if (value instanceof Program) return value as Program<any, any>
  throw new ModelReferenceError(`${reference} is not a program: expected what lower() gives, or a function without arguments that returns it`)
}
