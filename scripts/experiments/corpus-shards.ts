import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { type CorpusName, corpora } from './plan.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const engram = (args: readonly string[]) => execa(process.execPath, [path.join(root, 'bin', 'engram.mjs'), ...args], { cwd: root, stdin: 'ignore' })

/** Fetches a corpus, learns its tokenizer and writes its token shards, each only if it is not there; answers the folder of the shards. */
export async function createCorpusShards(work: string, corpus: CorpusName, say: (line: string) => void): Promise<string> {
  const shards = path.join(work, 'shards', corpus)
  if (existsSync(shards)) return shards
  await mkdir(path.dirname(shards), { recursive: true })
  say(`fetching ${corpora[corpus].title}`)
  await engram(['corpus', 'fetch', corpus])
  const tokenizer = path.join(work, 'shards', `${corpus}.tokenizer.json`)
  say('learning the tokenizer')
  await engram(['tokenizer', 'train', corpus, '--vocabulary', String(corpora[corpus].vocabulary), '-o', tokenizer])
  say('writing the token shards')
  await engram(['corpus', 'tokenize', corpus, '--tokenizer', tokenizer, '-o', shards])
  return shards
}
