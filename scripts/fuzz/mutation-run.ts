import { existsSync, readFileSync, readdirSync } from 'node:fs'
import path from 'node:path'
import { TimeLimitError, withTimeLimit } from '../../src/cli/time-limit.ts'
import { SeededRandom, byCodeUnits } from '../../src/data/random.ts'
import { InputError } from '../../src/ir/errors.ts'
import { type Judgement, judgeText } from './judge-text.ts'
import { mutate } from './mutation.ts'

/** The programs that are changed, and one number from which every case follows. */
export interface MutationCorpus {
  readonly texts: readonly string[]
  readonly names: readonly string[]
  readonly seed: number
}

/** Programs that are longer are left out: the time goes where it finds most. */
const longestText = 40_000

/** All `.mlir` files of a folder, in the order of their names. Throws `InputError` if there are none. */
export function readCorpus(folder: string, seed: number): MutationCorpus {
  const files = existsSync(folder) ? readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.mlir')).sort(byCodeUnits) : []
  const all = files.map((name) => ({ name, text: readFileSync(path.join(folder, name), 'utf8') })).filter(({ text }) => text !== '' && text.length <= longestText)
  if (all.length === 0) throw new InputError(`${folder}: there are no programs (.mlir) of up to ${longestText} characters here`, 'FILE_MISSING')
  return { texts: all.map(({ text }) => text), names: all.map(({ name }) => name), seed }
}

/** The text of a case, and the program that it was made from. */
export function mutatedText({ texts, names, seed }: MutationCorpus, index: number): { text: string; origin: string } {
  const random = new SeededRandom('mutation', seed, index)
  const at = random.below(texts.length)
  return { text: mutate(texts[at], texts, random), origin: names[at] }
}

/** Judges a case; one that takes longer than `limitMs` is at fault too. */
export function judgeCase(corpus: MutationCorpus, index: number, limitMs: number): Judgement & { readonly ms: number } {
  const { text } = mutatedText(corpus, index)
  const begin = performance.now()
  try {
    return { ...withTimeLimit(limitMs, () => judgeText(text)), ms: performance.now() - begin }
  } catch (error) {
    if (!(error instanceof TimeLimitError)) throw error
    return { outcome: 'refused', fault: error.message, ms: performance.now() - begin }
  }
}
