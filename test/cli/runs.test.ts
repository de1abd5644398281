import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { preset } from '../../src/models/registry.ts'
import { checkRunConfig } from '../../src/train/run-config.ts'
import { appendMetrics, createRunFolder } from '../../src/train/run-folder.ts'
import { engram } from '../support/command.ts'

let cwd: string
const run = (...args: string[]) => engram(['runs', ...args], { cwd })

/** A run folder as training leaves it, with these held-out losses after every 10 steps. */
async function writeRun(name: string, memorySize: number, heldOut: readonly (number | null)[], from?: object): Promise<void> {
  const { config } = preset('memorizing-transformer', 'tiny', { memorySize })
  const folder = await createRunFolder(join(cwd, 'runs', name), { reference: 'tiny', model: config as never, run: checkRunConfig({ steps: 30, data: { corpus: 'proofs' }, ...(from ? { from } : {}) }) })
  for (const [i, bitsPerByte] of heldOut.entries()) {
    const step = 10 * (i + 1)
    await appendMetrics(folder, { event: 'report', step, bitsPerByte: 3 - i, perplexity: 2 ** (3 - i), totals: { tokens: 100 * step } })
    const heldOutLoss = { bitsPerByte, perplexity: bitsPerByte === null ? null : 2 ** bitsPerByte }
    await appendMetrics(folder, { event: 'evaluation', step, ...heldOutLoss })
    const checkpoint = join(folder.checkpoints, `step-000000${step}`)
    await mkdir(checkpoint, { recursive: true })
    await writeFile(join(checkpoint, 'manifest.json'), JSON.stringify({ heldOut: bitsPerByte === null ? null : { ...heldOutLoss, split: 'validation', tokens: 100 } }))
  }
}

beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'engram-cli-runs-'))
  await writeRun('large', 128, [2.5, 2.25, 2.3])
  await writeRun('small', 64, [2.6, null])
  await mkdir(join(cwd, 'runs/broken'))
  await writeFile(join(cwd, 'runs/broken/config.json'), '{')
  await mkdir(join(cwd, 'runs/other'))
})
afterAll(() => rm(cwd, { recursive: true, force: true }))

describe('engram runs', () => {
  it('lists the runs of a folder', async () => {
    const { status, stdout, stderr } = await run()
    expect(status).toBe(0)
    expect(stdout).toMatchInlineSnapshot(`
      "run    model  corpus  began from  steps  tokens  training  held out  perplexity  best held out     best checkpoint
      large  tiny   proofs  -           30/30  3,000   1.000     2.3000    4.92        2.2500 (step 20)  step-00000020
      small  tiny   proofs  -           20/30  2,000   2.000     -         -           2.6000 (step 10)  step-00000010
      "
    `)
    expect(stderr).toMatch(/^engram: warning: runs\/broken cannot be read: runs\/broken\/config.json is not JSON/)
    expect((await run('list', 'nowhere')).stdout).toBe('no runs in nowhere\n')
  })

  it('compares runs: configurations and losses, on a page too', async () => {
    const { status, stdout } = await run('compare', 'runs/large', 'runs/small', '-o', 'page.html')
    expect(status).toBe(0)
    expect(stdout).toMatchInlineSnapshot(`
      "                  large  small
      model.memorySize  128    64

                               large          small
      began from               -              -
      steps                    30             20
      tokens                   3,000          2,000
      bits per byte, training  1.000          2.000
      perplexity, training     2.00           4.00
      bits per byte, held out  2.3000         -
      perplexity, held out     4.92           -
      against the first        -              -
      best, held out           2.2500         2.6000
      best checkpoint          step-00000020  step-00000010
      page: page.html
      "
    `)
    expect(await readFile(join(cwd, 'page.html'), 'utf8')).toContain('model.memorySize')
    const { runs, differences } = JSON.parse((await run('compare', 'runs/small', 'runs/large', 'runs/large', '--json')).stdout)
    expect(differences).toEqual([{ key: 'model.memorySize', values: [64, 128, 128] }])
    expect(runs[1]).toMatchObject({ name: 'large', heldOut: { step: 30, bitsPerByte: 2.3 }, best: { step: 20, bitsPerByte: 2.25 } })
  })

  it('tells where runs began from', async () => {
    const folder = await mkdtemp(join(cwd, 'begun-'))
    const checkpoint = 'runs/large/checkpoints/step-00000020'
    for (const [name, from] of [['anew', { checkpoint }], ['kept', { checkpoint, optimizer: 'kept' }], ['file', { checkpoint: 'elsewhere/weights' }]] as const) {
      await writeRun(join('..', basename(folder), name), 128, [2.5], from)
    }
    expect((await run('list', basename(folder))).stdout).toMatchInlineSnapshot(`
      "run   model  corpus  began from                              steps  tokens  training  held out  perplexity  best held out     best checkpoint
      anew  tiny   proofs  large step-00000020                     10/30  1,000   3.000     2.5000    5.66        2.5000 (step 10)  step-00000010
      file  tiny   proofs  elsewhere/weights                       10/30  1,000   3.000     2.5000    5.66        2.5000 (step 10)  step-00000010
      kept  tiny   proofs  large step-00000020 with its optimiser  10/30  1,000   3.000     2.5000    5.66        2.5000 (step 10)  step-00000010
      "
    `)
    const paths = ['anew', 'kept'].map((name) => join(folder, name))
    expect((await run('compare', ...paths)).stdout).toMatch(/^began from +large step-00000020 {2}large step-00000020 with its optimiser$/m)
    expect(JSON.parse((await run('compare', ...paths, '--json')).stdout).runs).toMatchObject([{ from: { checkpoint, optimizer: 'fresh' } }, { from: { checkpoint, optimizer: 'kept' } }])
    expect(JSON.parse((await run('list', '--json')).stdout).runs).toMatchObject([{ from: null }, { from: null }])
  })

  it('needs two, and runs', async () => {
    expect(await run('compare', 'runs/large')).toMatchObject({ status: 2, stderr: 'engram: one run cannot be compared: name two or more\n' })
    expect(await run('compare', 'runs/large', 'runs/none')).toMatchObject({ status: 2, stderr: expect.stringContaining('runs/none is not a run') })
  })
})
