import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { HostArray } from '../../src/ir/host-array.ts'
import type { Tensor } from '../../src/ir/module.ts'
import { advanceMemory, filledRows, writeMemory } from '../../src/nn/memory.ts'
import { lengthAfterStart } from '../../src/nn/cache.ts'
import { gateMemory } from '../../src/nn/memory-gate.ts'
import { evaluate, interpretProgram } from '../../src/program/evaluate.ts'
import { lower } from '../../src/program/lower.ts'
import type { Program } from '../../src/program/program.ts'
import { build, read } from '../support/arrays.ts'
import { tensorType } from '../../src/ir/types.ts'

interface Ring { keys: Tensor; values: Tensor; position: Tensor; length: Tensor }

/** One step of the ring alone: what may be read before the write, and the ring after it. */
const ringStep = (size: number) => ({ keys, values, position, length }: Ring, start: Tensor, fresh: { keys: Tensor; values: Tensor }) => {
  const now = { position, length: lengthAfterStart(length, start) }
  return {
    filled: filledRows(now, size),
    ring: { ...writeMemory({ keys, values }, fresh, position), ...advanceMemory(now, fresh.keys.shape[2], size) },
  }
}

describe('the ring', () => {
  test('holds the newest n tokens of each slot, whatever the segments and wherever documents start', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 9 }),
        fc.array(fc.record({ count: fc.integer({ min: 1, max: 11 }), starts: fc.tuple(fc.boolean(), fc.boolean()) }), { minLength: 1, maxLength: 9 }),
        (size, steps) => {
          const slots = 2
          let ring: any = {
            keys: HostArray.zeros('f32', [slots, 1, size, 1]),
            values: HostArray.zeros('f32', [slots, 1, size, 1]),
            position: HostArray.of('i32', [], [0]),
            length: HostArray.zeros('i32', [slots]),
          }
          const lists: number[][] = [[], []]
          let token = 0
          const programs = new Map<number, any>()
          for (const { count, starts } of steps) {
            const fresh: HostArray = build('f32', [slots, 1, count, 1], ([slot, , place]) => 1000 * (slot + 1) + token + place)
            const rows = tensorType('f32', [slots, 1, size, 1])
            const ringType = { keys: rows, values: rows, position: tensorType('i32', []), length: tensorType('i32', [slots]) }
            if (!programs.has(count))
              programs.set(count, lower(ringStep(size) as (...args: any[]) => unknown, ringType, tensorType('bool', [slots]), { keys: fresh.type, values: fresh.type }))
            const out: any = interpretProgram(programs.get(count) as Program<any, any>, ring, HostArray.from('bool', starts), { keys: fresh, values: fresh })
            lists.forEach((list, slot) => {
              if (starts[slot]) list.length = 0
              const visible: number[] = []
              for (let place = 0; place < size; place++)
                if (read(out.filled, [slot, place])) visible.push(read(ring.keys, [slot, 0, place, 0]))
              expect(visible.sort((a, b) => a - b)).toEqual(list.slice(-size))
              for (let place = 0; place < count; place++) list.push(1000 * (slot + 1) + token + place)
            })
            token += count
            ring = out.ring
            expect([...ring.values.data]).toEqual([...ring.keys.data])
          }
        },
      ),
      { numRuns: 60 },
    )
  })

  test('a write moves nothing but the places that it covers', () => {
    const ring = build('f32', [1, 1, 8, 1], ([, , place]) => place)
    const fresh = build('f32', [1, 1, 3, 1], ([, , place]) => 100 + place)
    const at = (position: number) => [
      ...evaluate((memory: Tensor, rows: Tensor, p: Tensor) => writeMemory({ keys: memory, values: memory }, { keys: rows, values: rows }, p).keys, ring, fresh, HostArray.of('i32', [], [position])).data,
    ]
    expect(at(0)).toEqual([100, 101, 102, 3, 4, 5, 6, 7])
    expect(at(5)).toEqual([0, 1, 2, 3, 4, 100, 101, 102])
    expect(at(6)).toEqual([102, 1, 2, 3, 4, 5, 100, 101])
    expect(at(7)).toEqual([101, 102, 2, 3, 4, 5, 6, 100])
  })
})

describe('the gate', () => {
  test('mixes by one share per head, and stays shut for an empty memory', () => {
    const gated = (length: number) =>
      evaluate(gateMemory, build('f64', [1, 1, 1, 2], ([, , , i]) => i + 1), build('f64', [1, 1, 1, 2], () => 5), HostArray.from('f64', [0]), HostArray.from('i32', [length]))
    expect([...gated(0).data]).toEqual([1, 2])
    expect([...gated(1).data]).toEqual([3, 3.5])
  })
})
