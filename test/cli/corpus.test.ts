import { mkdtemp, readFile, readdir, rm, writeFile, mkdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { engram } from '../support/command.ts'

let cwd: string
beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'engram-cli-corpus-'))
  await mkdir(join(cwd, 'proofs'))
  for (let i = 0; i < 20; i++) await writeFile(join(cwd, 'proofs', `${i}.ml`), `(* ${i} *)\n${'let LEMMA = prove(`x + y = y + x`, ARITH_TAC);;\n'.repeat(2 + i)}`)
  await writeFile(join(cwd, 'proofs', 'empty.ml'), '')
})
afterAll(() => rm(cwd, { recursive: true, force: true }))
const run = (...args: string[]) => engram(args, { cwd })

describe('corpora and tokenizers at the command line', () => {
  it('tells what a folder has', async () => {
    const { status, stdout } = await run('corpus', 'stats', 'proofs')
    expect(status).toBe(0)
    expect(stdout).toMatchInlineSnapshot(`
      "proofs: 20 documents, 11,210 bytes
      shortest 104 B, median 585 B, longest 1017 B
             64 B to 128 B       1 documents     104 B  
            128 B to 256 B       3 documents     600 B  ###
            256 B to 512 B       5 documents   1.9 KiB  #########
            512 B to 1 KiB      11 documents   8.3 KiB  ########################################
      left out: 1 empty
      "
    `)
    expect(JSON.parse((await run('corpus', 'list', '--json')).stdout)).toMatchObject({ corpora: [{ name: 'hol-light', there: false }, { name: 'go' }, { name: 'metamath' }] })
  })

  it('says what to fetch, and what cannot be', async () => {
    expect(await run('train', 'tiny', '--corpus', 'hol-light')).toMatchObject({ status: 2, stderr: 'engram: the corpus hol-light is not in corpora/hol-light; fetch it first: engram corpus fetch hol-light\n' })
    expect(await run('corpus', 'fetch', 'gol')).toMatchObject({ status: 2, stderr: 'engram: there is no corpus gol to fetch, did you mean go? (corpora: hol-light, go, metamath, installed)\n' })
    expect(await run('corpus', 'fetch', 'installed')).toMatchObject({ status: 0, stdout: expect.stringContaining('are there already') })
  })

  it('goes from a folder to a tokenizer, to shards, to a model, to text', { timeout: 240_000 }, async () => {
    const trained = await run('tokenizer', 'train', 'proofs', '--vocabulary', '300', '-o', 'proofs.json', '--json')
    expect(trained.status, trained.stderr).toBe(0)
    expect(JSON.parse(trained.stdout)).toMatchObject({ output: 'proofs.json', documents: 17 })
    expect((await run('tokenizer', 'show', 'proofs.json', 'let LEMMA')).stdout).toMatch(/^\d+\t"let"\n/)
    // The same documents give the same tokenizer.
    await run('tokenizer', 'train', 'proofs', '--vocabulary', '300', '-o', 'again.json')
    expect(await readFile(join(cwd, 'again.json'), 'utf8')).toBe(await readFile(join(cwd, 'proofs.json'), 'utf8'))

    const tokenized = await run('corpus', 'tokenize', 'proofs', '--tokenizer', 'proofs.json', '-o', 'shards', '--json')
    expect(JSON.parse(tokenized.stdout)).toMatchObject({ documents: 20, bytes: 11210, shards: 1 })
    expect((await readdir(join(cwd, 'shards'))).sort()).toEqual(['manifest.json', 'tokens-00000.bin'])

    expect((await run('corpus', 'stats', 'shards')).stdout.replace(/[0-9a-f]{12}/, 'IDENTITY')).toMatchInlineSnapshot(`
      "shards: 20 documents, 4,259 tokens of 11,210 bytes (huggingface, 288 ids, IDENTITY)
      shortest 42, median 222, longest 384 tokens
                  32 to 64       2 documents       101  ##
                 64 to 128       3 documents       288  ####
                128 to 256       7 documents     1,302  ####################
                256 to 512       8 documents     2,568  ########################################
      "
    `)
    const counted = JSON.parse((await run('corpus', 'stats', 'shards', '--json')).stdout) as { tokens: number; histogram: { tokens: number }[] }
    expect(counted).toMatchObject({ corpus: 'shards', documents: 20, bytes: 11210, tokens: (JSON.parse(tokenized.stdout) as { tokens: number }).tokens, tokenizer: { vocabularySize: 288 } })
    expect(counted.histogram.reduce((sum, { tokens }) => sum + tokens, 0)).toBe(counted.tokens)
    expect(await run('corpus', 'stats', 'shards', '--extensions', 'ml')).toMatchObject({ status: 2, stderr: expect.stringContaining('shards holds token shards, whose documents stay as they were written: --extensions cannot change them') })
    expect(await run('corpus', 'tokenize', 'shards', '-o', 'again')).toMatchObject({ status: 2, stderr: expect.stringContaining('shards holds token shards, not text; name the corpus that they were made from') })

    const sizes = ['--steps', '4', '--batch', '2', '--eval-tokens', '32', '--json', '--backend', 'interpreter', '--set', 'segmentLength=8', 'width=16', 'memorySize=32']
    const fromShards = await run('train', 'tiny', '--corpus', 'shards', '--name', 'shards', ...sizes)
    expect(fromShards.status, fromShards.stderr).toBe(0)
    const fromText = await run('train', 'tiny', '--corpus', 'proofs', '--tokenizer', 'proofs.json', '--name', 'text', ...sizes)
    const lossOf = (stdout: string): unknown => (JSON.parse(stdout.trim().split('\n').at(-1)!) as { evaluation: unknown }).evaluation
    expect(lossOf(fromText.stdout)).toEqual(lossOf(fromShards.stdout))

    const drawn = JSON.parse((await run('generate', 'runs/shards', '--prompt', 'let LEMMA = prove', '--tokens', '5', '--json', '--backend', 'interpreter')).stdout) as { ids: number[]; promptTokens: number }
    expect(drawn.ids.length).toBeGreaterThan(0)
    expect(drawn.promptTokens).toBeLessThan('let LEMMA = prove'.length)

    // Shards of another tokenizer than the checkpoint's.
    await run('corpus', 'tokenize', 'proofs', '-o', 'bytes')
    expect(await run('eval', 'runs/shards', '--corpus', 'bytes', '--backend', 'interpreter')).toMatchObject({ status: 2, stderr: expect.stringContaining('were written with another tokenizer (bytes, 257 ids, ') })
  })

  it('refuses what is no tokenizer', async () => {
    expect(await run('tokenizer', 'show', 'none.json')).toMatchObject({ status: 2, stderr: "engram: tokenizer none.json does not exist; expected 'bytes' or a tokenizer.json\n" })
    expect(await run('tokenizer', 'train', 'proofs', '--vocabulary', '256')).toMatchObject({ status: 2, stderr: expect.stringContaining('--vocabulary 256 is too small') })
    expect(await run('train', 'tiny', '--corpus', 'proofs', '--tokenizer', 'proofs/1.ml')).toMatchObject({ status: 2, stderr: expect.stringContaining('proofs/1.ml is not JSON') })
  })
})
