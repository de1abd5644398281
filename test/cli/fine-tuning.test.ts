import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { engram } from '../support/command.ts'

let cwd: string
beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'engram-cli-tune-'))
  await mkdir(join(cwd, 'corpus'))
  for (let i = 0; i < 20; i++) await writeFile(join(cwd, 'corpus', `${i}.txt`), `document ${i}: ${'what was read before is read again; '.repeat(3 + i)}`)
})
afterAll(() => rm(cwd, { recursive: true, force: true }))

const run = (...args: string[]) => engram([...args, '--backend', 'interpreter'], { cwd })
const train = (name: string, steps: number, ...more: string[]) =>
  run('train', ...more, '--corpus', 'corpus', '--batch', '2', '--eval-tokens', '64', '--steps', String(steps), '--name', name, '--json')
type Line = { event: string; [key: string]: unknown }
const lines = (text: string): Line[] => text.trim().split('\n').map((line) => JSON.parse(line) as Line)

it('a model without memory gets one, goes on, and is read with a larger one', { timeout: 240_000 }, async () => {
  expect((await train('xl', 6, 'transformer-xl:tiny', '--set', 'segmentLength=16', 'width=16')).status).toBe(0)
  const memory = ['memorySize=32', 'neighbours=4', 'memoryLayers=[2]']
  const tuned = await train('mt', 3, 'memorizing-transformer', '--from', 'runs/xl', '--freeze', 'layers.0', '--set', ...memory)
  expect(tuned).toMatchObject({ status: 0, stderr: '' })
  const [start, list] = lines(tuned.stdout)
  expect(start).toMatchObject({ event: 'start', frozen: 2 * 16 + 4 * 16 * 32 + 2 + 32 * 2 + 2 * 16 * 128 + 128 + 16 })
  expect(list).toMatchObject({
    event: 'from',
    checkpoint: 'runs/xl/checkpoints/step-00000006',
    made: [{ path: 'layers[1].memoryGate', type: 'f32[2]', initial: '-6' }],
    left: [],
    differing: [],
  })
  expect({ event: 'from', ...(JSON.parse(await readFile(join(cwd, 'runs/mt/from.json'), 'utf8')) as object) }).toEqual(list)
  const { model, run: saved } = JSON.parse(await readFile(join(cwd, 'runs/mt/config.json'), 'utf8')) as { model: unknown; run: unknown }
  // What the command does not say is as it was.
  expect(model).toMatchObject({ width: 16, segmentLength: 16, cacheLength: 32, memorySize: 32, gateBias: -6 })
  expect(saved).toMatchObject({ from: { checkpoint: 'runs/xl/checkpoints/step-00000006', optimizer: 'fresh' }, freeze: ['layers.0'] })

  const report = await readFile(join(cwd, 'runs/mt/report.html'), 'utf8')
  expect(report).toContain('Began with the parameters of runs/xl/checkpoints/step-00000006; the optimiser began anew.')
  expect(report).toContain('engram train memorizing-transformer:tiny --from runs/xl/checkpoints/step-00000006')

  const resumed = await run('train', '--resume', 'runs/mt', '--steps', '4', '--json')
  expect(lines(resumed.stdout).filter(({ event }) => event === 'from' || event === 'done')).toMatchObject([{ event: 'done', step: 4 }])

  const evaluated = await run('eval', 'runs/mt', '--tokens', '64', '--set', 'memorySize=256', 'neighbours=8', '--json')
  expect(JSON.parse(evaluated.stdout)).toMatchObject({ step: 4, set: { memorySize: 256, neighbours: 8 } })
  expect((await run('generate', 'runs/mt', '--prompt', 'what', '--tokens', '2', '--set', 'memorySize=256')).status).toBe(0)
  const refused = await run('eval', 'runs/mt', '--set', 'memoryLayers=[1,2]')
  expect(refused).toMatchObject({ status: 2, stdout: '' })
  expect(refused.stderr).toContain(
    'changing memoryLayers needs other parameters than the checkpoint runs/mt/checkpoints/step-00000004 has:\n  layers[0].memoryGate is absent there, f32[2] so\n',
  )
})

it.each([
  [['tiny', '--from', 'nowhere'], 'nowhere does not exist: there is no checkpoint'],
  [['--from', 'nowhere', '--resume', 'runs/xl'], '--resume goes on with a run, --from begins a new one'],
  [['--from', 'runs/xl', '--tokenizer', 'corpus/none.json'], 'tokenizer corpus/none.json does not exist'],
  [['memorizing-transformer', '--from', 'runs/xl'], '  memorySize: missing (expected number)\n  memoryLayers: missing (expected array)'],
  [['tiny', '--from', 'runs/xl'], '  embedding is f32[257,16] there, f32[257,32] here'],
  [['--from', 'runs/xl', '--freeze', 'layer.0'], 'no parameter matches layer.0, did you mean layers.0?'],
])('train %j is refused, and no run is made', async (args, message) => {
  const refused = await train('refused', 1, ...args)
  expect(refused).toMatchObject({ status: 2, stdout: '' })
  expect(refused.stderr).toContain(message)
  await expect(readFile(join(cwd, 'runs/refused/config.json'))).rejects.toThrow('ENOENT')
})
