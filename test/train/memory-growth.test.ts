import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import type { MemorySample } from '../support/train-and-measure.ts'

const script = fileURLToPath(new URL('../support/train-and-measure.ts', import.meta.url))
const loader = import.meta.resolve('tsx')
const mebi = 2 ** 20

it('does not grow over 2,000 steps: neither this process nor the runner', { timeout: 300_000 }, async () => {
  // A small young generation: V8 enlarges it as long as it may, which is no growth of what is in use.
  const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', '--max-semi-space-size=2', '--import', loader, script, '500', '2500'])
  const [warm, last] = JSON.parse(stdout) as MemorySample[]
  expect([warm.step, last.step]).toEqual([500, 2500])
  // A buffer or a promise kept for each step would be about 1 KiB of it, 2 MiB in all.
  expect(last.nodeLive - warm.nodeLive).toBeLessThan(1 * mebi)
  expect(last.node - warm.node).toBeLessThan(16 * mebi)
  expect(last.runner - warm.runner).toBeLessThan(16 * mebi)
  expect(Math.min(warm.node, warm.runner)).toBeGreaterThan(32 * mebi)
})
