import { InvalidArgumentError, Option } from 'commander'

/** Options that several commands have, and parsers of option values: commander prints their message beside the option's name. */

export const jsonOption = (what = 'print one JSON object on stdout instead of text'): Option => new Option('--json', what)

export const backendOption = (backends: readonly string[] = ['cpu', 'interpreter', 'tpu']): Option =>
  new Option('--backend <name>', 'where programs run').choices([...backends]).default(backends[0])

export const batchOption = (): Option => new Option('--batch <slots>', 'documents that are read side by side').argParser(positiveInteger).default(8)

/** Which checkpoint of a run. */
export const checkpointOption = (): Option =>
  new Option('--checkpoint <which>', 'of a run: "newest", "best" (least loss on held-out documents), or a step').argParser(checkpointChoice).default('newest')

/** `key=value` changes of a model's configuration; repeatable. */
export const setOption = (): Option =>
  new Option('--set <key=value...>', 'change keys of the model\'s configuration, e.g. --set memorySize=65536 layers=8').argParser(keyValue).default({}, 'none')

/** `key=value` changes for reading with a trained model. */
export const readWithOption = (): Option =>
  new Option('--set <key=value...>', 'read with another configuration of the model, as far as the parameters stay as they are, e.g. --set memorySize=8192').argParser(keyValue).default({}, 'as in training')

/** Such changes in words, to follow what they change: `, memorySize 8192`. */
export const changesText = (set: Readonly<Record<string, unknown>>): string =>
  Object.entries(set).map(([key, value]) => `, ${key} ${JSON.stringify(value)}`).join('')

export function positiveInteger(text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError('expected a whole number of at least 1.')
  return value
}

export function wholeNumber(text: string): number {
  const value = Number(text)
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value)) throw new InvalidArgumentError('expected a whole number.')
  return value
}

function checkpointChoice(text: string): 'newest' | 'best' | number {
  if (text === 'newest' || text === 'best') return text
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('expected newest, best or the number of a step.')
  return Number(text)
}

/** Values are JSON where they parse as JSON, otherwise strings. */
function keyValue(text: string, known: Record<string, unknown>): Record<string, unknown> {
  const at = text.indexOf('=')
  if (at < 1) throw new InvalidArgumentError('expected key=value.')
  let value: unknown = text.slice(at + 1)
  try {
    value = JSON.parse(value as string)
  } catch {
    // A bare word, such as `exact`.
  }
  return { ...known, [text.slice(0, at)]: value }
}
