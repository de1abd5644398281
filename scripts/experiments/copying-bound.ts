/**
 * `npx tsx scripts/experiments/copying-bound.ts RUN`: what copying from earlier in the document could be worth to a trained model. For every token
 * of test documents it looks up the longest run of tokens (up to eight) that ends here and stood before within a window, and takes what followed there as
 * a guess. The model's probability is mixed with the guess, with the best share for each length and for near and far places, which is fitted on the same
 * tokens: a bound of what simple copying gives, by window, and not what a model will reach. Prints JSON.
 */
import { Command, InvalidArgumentError } from 'commander'
import { readCheckpointModel } from '../../src/cli/checkpoint-model.ts'
import { Inspector } from '../../src/inspect/inspector.ts'
import { startSession } from '../../src/program/start.ts'
import { packageRoot } from '../../src/runner/python.ts'
import { openTrainingData } from '../../src/train/corpus.ts'

/** A document that was read: its tokens, and the nats that each but the first cost. */
export interface ReadDocument {
  readonly ids: ArrayLike<number>
  readonly loss: ArrayLike<number>
}

const longest = 8

/** Nats per token of the model alone, and mixed with the guess. Throws `RangeError` for documents without a second token. */
export function copyingBound(documents: readonly ReadDocument[], window: number, near: number): { readonly alone: number; readonly mixed: number } {
  const groups = new Map<string, { loss: number[]; right: boolean[] }>()
  let count = 0
  for (const { ids, loss } of documents) {
    const last = Array.from({ length: longest + 1 }, () => new Map<string, number>())
    for (let i = 1; i < ids.length; i++) {
      const context = Array.from({ length: Math.min(i, longest) }, (_, n) => ids[i - 1 - n])
      const keys = context.map((_, n) => context.slice(0, n + 1).join(' '))
      const places = keys.map((key, n) => last[n + 1].get(key)).map((place) => (place !== undefined && i - place <= window ? place : undefined))
      const length = places.findLastIndex((place) => place !== undefined) + 1
      const place = places[length - 1]
      const group = `${length}${place !== undefined && i - place > near ? ' far' : ''}`
      const { loss: losses, right } = groups.get(group) ?? groups.set(group, { loss: [], right: [] }).get(group)!
      losses.push(loss[i - 1])
      right.push(place !== undefined && ids[place] === ids[i])
      keys.forEach((key, n) => last[n + 1].set(key, i))
      count++
    }
  }
  if (count === 0) throw new RangeError('no document has a second token')
  const all = [...groups.values()]
  return { alone: all.flatMap(({ loss }) => loss).reduce(sum, 0) / count, mixed: all.map(({ loss, right }) => bestMixture(loss, right)).reduce(sum, 0) / count }
}

const sum = (a: number, b: number): number => a + b

/** The least nats over shares of the guess from 0 to 0.95. */
const bestMixture = (loss: readonly number[], right: readonly boolean[]): number =>
  Math.min(...Array.from({ length: 20 }, (_, i) => i / 20).map((share) => loss.reduce((nats, each, i) => nats - Math.log((1 - share) * Math.exp(-each) + (right[i] ? share : 0)), 0)))

const wholeNumber = (text: string): number => {
  if (!/^[1-9]\d*$/.test(text)) throw new InvalidArgumentError('expected a whole number above 0.')
  return Number(text)
}

async function perform(path: string, { documents: wanted, windows }: { documents: number; windows: number[] }): Promise<void> {
  const { trained, run, tokenizer, spec, parameters } = await readCheckpointModel(path, { checkpoint: 'newest', set: {} })
  const data = await openTrainingData(run.data, packageRoot, tokenizer)
  const session = await startSession('cpu')
  try {
    const long = data.documents.test.filter(({ tokenCount }) => tokenCount > 6000 && tokenCount < 33_000).slice(0, wanted)
    const inspector = await Inspector.create(session, trained, spec, { slots: long.length })
    const read = long.map((document) => ({ ids: document.read(0, document.tokenCount), loss: [] as number[] }))
    for await (const { document, loss } of inspector.segments(session.put(parameters), long, tokenizer)) read[document].loss.push(...loss)
    const cache = Number((trained.config as { cacheLength?: number }).cacheLength ?? 0)
    const rows = windows.map((window) => {
      const { alone, mixed } = copyingBound(read, window, cache + trained.config.segmentLength)
      return { window, natsPerToken: alone, mixed, gain: 1 - mixed / alone }
    })
    process.stdout.write(`${JSON.stringify({ model: trained.model.name, documents: long.length, tokens: read.reduce((all, { loss }) => all + loss.length, 0), rows }, null, 1)}\n`)
  } finally {
    data.close()
    await session.close()
  }
}

if (process.argv[1]?.endsWith('copying-bound.ts'))
  await new Command('copying-bound')
    .argument('<run>', 'a run or a checkpoint')
    .option('--documents <count>', 'test documents of 6,000 to 33,000 tokens that are read', wholeNumber, 16)
    .option('--windows <counts>', 'how far back a copy may lie, in tokens', (text) => text.split(',').map(wholeNumber), [80, 512, 2048, 8192])
    .action(perform)
    .parseAsync()
