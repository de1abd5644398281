import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { findDocument } from '../../src/cli/document-to-inspect.ts'
import { huggingFaceTokenizer } from '../../src/data/huggingface-tokenizer.ts'
import { byteTokenizer } from '../../src/data/tokenizer.ts'
import { characterOfByte } from '../../src/data/byte-level.ts'
import { checkRunConfig } from '../../src/train/run-config.ts'
import { engram } from '../support/command.ts'

let cwd: string
beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'engram-cli-inspect-'))
  await mkdir(join(cwd, 'corpus/sub'), { recursive: true })
  for (let i = 0; i < 8; i++) await writeFile(join(cwd, `corpus/sub/proofs${i}.ml`), `let FIRST_${i} = prove(\`x\`);;\nlet SECOND = prove(FIRST_${i});;\n${'(* filling *)\n'.repeat(3 + i)}rewrite[FIRST_${i}; SECOND];;\n`)
  for (const [name, model, ...more] of [['with', 'memorizing-transformer:tiny', 'memorySize=64', 'neighbours=4'], ['without', 'transformer-xl:tiny']] as const) {
    const trained = await engram(['train', model, '--corpus', 'corpus', '--batch', '2', '--steps', '3', '--eval-tokens', '32', '--set', 'segmentLength=16', 'width=16', ...more, '--name', name, '--backend', 'interpreter'], { cwd })
    if (trained.status !== 0) throw new Error(trained.stderr)
  }
}, 240_000)
afterAll(() => rm(cwd, { recursive: true, force: true }))

const inspect = (...args: string[]) => engram(['inspect', ...args, '--backend', 'interpreter'], { cwd })

describe('engram inspect', () => {
  it('writes a page and its figures of a document of the corpus', async () => {
    const result = await inspect('runs/with', 'proofs7.ml', '--json', 'figures.json')
    expect(result).toMatchObject({ status: 0, stderr: '' })
    expect(result.stdout).toMatch(/^sub\/proofs7\.ml: 225 tokens, bits per byte \d\.\d{4} with memory, \d\.\d{4} without; \d+ % of the tokens gained\nwithin names, [\d.]+ % of \d+ queries retrieved the definition \(by chance [\d.]+ %\)\npage: proofs7\.ml\.inspect\.html\n$/)
    const html = await readFile(join(cwd, 'proofs7.ml.inspect.html'), 'utf8')
    expect(html).toContain('<title>sub/proofs7.ml</title>')
    expect(html).toMatch(/memorizing-transformer of \d+ layers and width 16 after 3 steps on corpus, a (train|validation|test) document/)
    const figures = JSON.parse(await readFile(join(cwd, 'figures.json'), 'utf8')) as Record<string, any>
    expect(figures).toMatchObject({ step: 3, document: 'sub/proofs7.ml', memory: { size: 64 }, references: { references: 3, definitions: 2 } })
    expect(figures.with.tokens).toBe(224)
    expect(figures.mostGained.length).toBeGreaterThan(0)
    expect(figures.with.bytes).toBe(223)
  })

  it('reads with another size of the memory, and says so', async () => {
    const result = await inspect('runs/with', 'proofs7.ml', '--set', 'memorySize=16', 'neighbours=2', '--out', 'set.html', '--json', 'set.json')
    expect(result).toMatchObject({ status: 0, stderr: '' })
    const figures = async (name: string) => JSON.parse(await readFile(join(cwd, name), 'utf8')) as Record<string, any>
    expect(await inspect('runs/with', 'proofs7.ml', '--json', 'unset.json')).toMatchObject({ status: 0 })
    const [set, unset] = [await figures('set.json'), await figures('unset.json')]
    expect([set.set, unset.set]).toEqual([{ memorySize: 16, neighbours: 2 }, {}])
    expect([set.memory.size, unset.memory.size]).toEqual([16, 64])
    // The model without memory is the same, what the memory does is not.
    expect(set.without.bitsPerByte).toBe(unset.without.bitsPerByte)
    expect(set.with.bitsPerByte).not.toBe(unset.with.bitsPerByte)
    const html = await readFile(join(cwd, 'set.html'), 'utf8')
    expect(html).toMatch(/, a (train|validation|test) document, read with memorySize 16, neighbours 2/)
    expect(html).toContain('--set memorySize=16 neighbours=2')
    expect((await inspect('runs/with', 'proofs7.ml', '--set', 'width=32')).stderr).toContain('changing width needs other parameters than the checkpoint')
  })

  it('reads a file, a part of it, with definitions of the user', async () => {
    await writeFile(join(cwd, 'notes.txt'), 'macro alpha-one {}\nand alpha-one again, as long as it takes to see alpha-one\n')
    const result = await inspect('runs/with', 'notes.txt', '--definition', '^macro ([\\w-]+)', '--definition', '^never', '--out', 'out/page.html', '--json', '-', '--tokens', '60')
    expect(result).toMatchObject({ status: 0, stderr: '' })
    const figures = JSON.parse(result.stdout) as Record<string, any>
    expect(figures).toMatchObject({ document: 'notes.txt', references: { references: 1, definitions: 1 } })
    expect(figures.with.tokens).toBe(59)
    expect(figures.split).toBeUndefined()
    expect(await readdir(join(cwd, 'out'))).toEqual(['page.html'])
  })

  it('says plainly when a model has no memory', async () => {
    const result = await inspect('runs/without', 'sub/proofs0.ml', '--out', 'none.html')
    expect(result).toMatchObject({ status: 0, stderr: '' })
    expect(result.stdout).toContain('transformer-xl has no external memory, so the page shows the losses alone')
    expect(await readFile(join(cwd, 'none.html'), 'utf8')).toContain('This model has no external memory')
  })

  it('refuses what it cannot inspect', { timeout: 240_000 }, async () => {
    await writeFile(join(cwd, 'empty.txt'), '')
    await writeFile(join(cwd, 'binary.txt'), Uint8Array.of(1, 0, 2, 0))
    await writeFile(join(cwd, 'letter.txt'), 'a')
    const refused = async (...args: string[]) => {
      const { status, stdout, stderr } = await inspect(...args)
      expect([status, stdout]).toEqual([status === 2 ? 2 : 1, ''])
      return stderr.trim()
    }
    expect(await refused('runs/with', 'prooofs3.ml')).toBe('engram: there is no file prooofs3.ml, and no such document in the corpus corpus, which has 8 documents; did you mean sub/proofs3.ml?')
    expect(await refused('runs/with', 'empty.txt')).toBe('engram: empty.txt is empty: there is nothing to inspect')
    expect(await refused('runs/with', 'binary.txt')).toBe('engram: binary.txt is binary: name a file of text (UTF-8)')
    expect(await refused('runs/with', 'corpus')).toBe('engram: corpus is a folder: name one text file, or a document of the run\'s corpus')
    expect(await refused('runs/with', 'letter.txt', '--tokens', '1')).toBe('engram: letter.txt has 1 token: two are needed, for something to be predicted')
    expect(await refused('runs/with', 'proofs1.ml', '--definition', '(')).toContain('engram: /(/ is not a regular expression')
    expect(await refused('runs/none', 'proofs1.ml')).toContain('runs/none')
    expect(await refused('runs/with', 'proofs1.ml', '--out', 'letter.txt/page.html')).toContain('letter.txt/page.html')
  })

  it('finds documents among token shards, and refuses shards of another tokenizer', async () => {
    expect(await engram(['corpus', 'tokenize', 'corpus', '--output', 'shards'], { cwd })).toMatchObject({ status: 0 })
    const data = checkRunConfig({ data: { corpus: join(cwd, 'shards') } }).data
    const found = await findDocument('proofs2.ml', data, byteTokenizer())
    expect(found.name).toBe('sub/proofs2.ml')
    expect(found.ids[found.ids.length - 1]).toBe(256)
    const vocab = Object.fromEntries(Array.from({ length: 256 }, (_, byte) => [characterOfByte(byte), byte]))
    const other = huggingFaceTokenizer({ model: { type: 'BPE', vocab: { ...vocab, le: 256 }, merges: ['l e'] }, pre_tokenizer: { type: 'ByteLevel' }, decoder: { type: 'ByteLevel' } })
    await expect(findDocument('proofs2.ml', data, other)).rejects.toThrow(/were written with another tokenizer \(bytes.*257.*than the checkpoint has \(huggingface.*258/)
  })
})
