import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { compareTrainSteps, relativeDifference } from '../../scripts/bench/agreement.ts'
import { HostArray } from '../../src/ir/host-array.ts'
import type { Tensor } from '../../src/ir/module.ts'
import { tensorType } from '../../src/ir/types.ts'
import { preset } from '../../src/models/registry.ts'
import { lower } from '../../src/program/lower.ts'
import type { Session } from '../../src/program/session.ts'
import { startInterpreter, startRunner } from '../../src/program/start.ts'

let xla: Session
beforeAll(async () => {
  xla = await startRunner()
})
afterAll(() => xla.close())

describe('interpreter and XLA on the CPU', () => {
  it('agree on the whole tiny train step: loss and every updated tensor within 1e-5', async () => {
    const { differences, worst } = await compareTrainSteps(preset('memorizing-transformer', 'tiny'), startInterpreter(), xla, { batch: 2, steps: 3 })
    expect(differences.map(({ path }) => path)).toContain('metrics.loss')
    expect(differences.length).toBeGreaterThan(60)
    expect(worst.relative, worst.path).toBeLessThan(1e-5)
  })

  it('agree on the forward pass in bf16 within its last bits', async () => {
    const { model, config } = preset('memorizing-transformer', 'tiny', { computeDtype: 'bf16' })
    const forward = lower(
      (key: Tensor, tokens: Tensor, start: Tensor) =>
        model.apply(config, model.initialParameters(config, key), model.initialState(config, 2), { tokens, start }, {}).logits,
      tensorType('u32', [2]),
      tensorType('i32', [2, 32]),
      tensorType('bool', [2]),
    )
    const inputs = [
      HostArray.from('u32', [0, 3]),
      HostArray.of('i32', [2, 32], Array.from({ length: 64 }, (_, i) => (i * 37) % 256)),
      HostArray.from('bool', [true, true]),
    ] as const
    const expected = await (await startInterpreter().compile(forward)).run(...inputs)
    const actual = await (await xla.compile(forward)).run(...inputs)
    // One unit in the last place of bf16 is 2^-8 of a value; a few layers of rounding come to a few of them.
    expect(relativeDifference(actual, expected)).toBeLessThan(4 * 2 ** -8)
    expect(relativeDifference(actual, expected)).toBeGreaterThan(0)
  })
})
