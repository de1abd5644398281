import { expect, test } from 'vitest'
import type { Tensor } from '../../src/ir/module.ts'
import { tensorType } from '../../src/ir/types.ts'
import { writeMemory } from '../../src/nn/memory.ts'
import { compileFor } from '../../src/program/compile-for.ts'
import { lowerWith } from '../../src/program/lower.ts'
import { describeTpu } from '../support/tpu.ts'

describeTpu('a write into a ring on a TPU', () => {
  test('costs what is written, and nothing of the rest of the ring', async () => {
    const [places, written] = [8192, 256]
    const memory = tensorType('bf16', [2, 2, places, 128])
    const rows = tensorType('bf16', [2, 2, written, 128])
    const write = (keys: Tensor, values: Tensor, freshKeys: Tensor, freshValues: Tensor, position: Tensor) =>
      writeMemory({ keys, values }, { keys: freshKeys, values: freshValues }, position)
    const program = lowerWith({ name: 'write', target: 'tpu', donate: [0, 1] }, write, memory, memory, rows, rows, tensorType('i32', []))
    const { estimate, memory: used } = await compileFor(program, 'tpu:v5e:2x2')
    const ringBytes = 2 * 2 * 2 * 2 * places * 128
    expect(used!.aliased).toBe(ringBytes)
    expect(used!.temporaries).toBeLessThan(ringBytes / 16)
    // Read and written: three blocks of 128 rows, and the rows themselves.
    expect(estimate!.hbmBytes).toBeLessThan(ringBytes / 2)
  })
})
