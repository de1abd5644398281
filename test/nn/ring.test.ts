import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { HostArray } from '../../src/ir/host-array.ts'
import type { Tensor } from '../../src/ir/module.ts'
import { tensorType } from '../../src/ir/types.ts'
import { lengthAfterStart } from '../../src/nn/cache.ts'
import { advanceMemory, filledRows, writeMemory } from '../../src/nn/memory.ts'
import { retrievedAttention } from '../../src/nn/retrieved-attention.ts'
import { ringOrder, ringPlaces } from '../../src/nn/ring.ts'
import { evaluate, interpretProgram } from '../../src/program/evaluate.ts'
import { lower, lowerWith } from '../../src/program/lower.ts'
import type { Program } from '../../src/program/program.ts'
import { build } from '../support/arrays.ts'

interface Ring { keys: Tensor; values: Tensor; position: Tensor; length: Tensor }

const slots = 2
const ringType = (size: number, width: number) => {
  const rows = tensorType('f32', [slots, 1, size, width])
  return { keys: rows, values: rows, position: tensorType('i32', []), length: tensorType('i32', [slots]) }
}
const emptyRing = (size: number, width: number): any => ({
  keys: HostArray.zeros('f32', [slots, 1, size, width]),
  values: HostArray.zeros('f32', [slots, 1, size, width]),
  position: HostArray.of('i32', [], [0]),
  length: HostArray.zeros('i32', [slots]),
})

/** A step of the ring alone: what may be read before the write, and the ring after it. One program for each number of rows. */
function ringSteps(size: number, width: number) {
  const programs = new Map<number, Program<any, any>>()
  const step = ({ keys, values, position, length }: Ring, start: Tensor, fresh: { keys: Tensor; values: Tensor }) => {
    const now = { position, length: lengthAfterStart(length, start) }
    return { filled: filledRows(now, size), ring: { ...writeMemory({ keys, values }, fresh, position), ...advanceMemory(now, fresh.keys.shape[2], size) } }
  }
  return (ring: any, start: readonly boolean[], rows: HostArray): { filled: HostArray; ring: any } => {
    const count = rows.shape[2]
    if (!programs.has(count)) programs.set(count, lower(step as (...args: any[]) => unknown, ringType(size, width), tensorType('bool', [slots]), { keys: rows.type, values: rows.type }))
    return interpretProgram(programs.get(count)!, ring, HostArray.from('bool', start), { keys: rows, values: HostArray.of('f32', rows.shape, Array.from(rows.data as Float32Array, (x) => -x)) }) as any
  }
}

describe('a ring of mixed rows', () => {
  test.each([128, 256, 384, 1024])('of %i places has in every place what a plain ring has there, whatever is written when', (size) => {
    expect(ringOrder(size)).toBe('mixed')
    const places = Array.from(evaluate(() => ringPlaces(size)).data, Number)
    expect(places.toSorted((a, b) => a - b)).toEqual(Array.from({ length: size }, (_, place) => place))
    const steps = ringSteps(size, 1)
    const counts = [1, 2, 127, 128, 129, 256, size - 1, size, size + 5]
    fc.assert(
      fc.property(fc.array(fc.record({ count: fc.constantFrom(...counts), starts: fc.tuple(fc.boolean(), fc.boolean()) }), { minLength: 1, maxLength: 8 }), (sequence) => {
        const plain = Array.from({ length: slots }, () => new Array<number>(size).fill(0))
        const lengths = new Array<number>(slots).fill(0)
        let [ring, position, token] = [emptyRing(size, 1), 0, 1]
        for (const { count, starts } of sequence) {
          const fresh = build('f32', [slots, 1, count, 1], ([slot, , i]) => 100_000 * slot + token + i)
          const out = steps(ring, starts, fresh)
          starts.forEach((start, slot) => {
            if (start) lengths[slot] = 0
            const readable = Array.from({ length: lengths[slot] }, (_, age) => (position - 1 - age + 2 * size) % size)
            const filled = places.filter((_, row) => out.filled.data[slot * size + row])
            expect(filled.toSorted((a, b) => a - b)).toEqual(readable.toSorted((a, b) => a - b))
            lengths[slot] = Math.min(size, lengths[slot] + count)
            for (let i = Math.max(0, count - size); i < count; i++) plain[slot][count >= size ? i - (count - size) : (position + i) % size] = 100_000 * slot + token + i
          })
          position = count >= size ? 0 : (position + count) % size
          token += count
          ring = out.ring
          expect(ring.position.data[0]).toBe(position)
          for (let slot = 0; slot < slots; slot++)
            for (let row = 0; row < size; row++) {
              expect(ring.keys.data[slot * size + row]).toBe(plain[slot][places[row]])
              expect(ring.values.data[slot * size + row]).toBe(0 - plain[slot][places[row]])
            }
        }
      }),
      { numRuns: 12 },
    )
  })

  test('a ring that is not of whole blocks keeps its rows in the order of its places', () => {
    expect(ringOrder(200)).toBe('any')
    expect([...evaluate(() => ringPlaces(200)).data]).toEqual(Array.from({ length: 200 }, (_, place) => place))
  })
})

/** Rows written, token by token: a score that all queries see in the first number, and noise of the row's own. */
const documents: Record<string, (token: number, normal: () => number) => number[]> = {
  'sorted': (token, normal) => [token / 1000, normal(), normal(), normal()],
  'sorted descending': (token, normal) => [-token / 1000, normal(), normal(), normal()],
  ...Object.fromEntries(
    [16, 128, 256, 384, 512].flatMap((period) => [
      [`one good row in ${period}`, (token: number, normal: () => number) => [token % period === 5 ? 9 : 0, normal(), normal(), normal()]],
      [`rising through ${period}`, (token: number, normal: () => number) => [(9 * (token % period)) / period, normal(), normal(), normal()]],
    ]),
  ),
}

/** Normal numbers from a seed. */
function normalNumbers(seed: number): () => number {
  let state = seed
  const uniform = (): number => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) >>> 0
    return ((state ^ (state >>> 13)) >>> 0) / 2 ** 32
  }
  return () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform())
}

describe('a search that takes the rows of a ring as they are stored', () => {
  const [size, width, segment, asked, neighbours] = [4096, 4, 512, 12, 32]
  const steps = ringSteps(size, width)
  const types = ringType(size, width)
  const read = lowerWith(
    { target: 'tpu' },
    (queries: Tensor, { keys, values, position, length }: Ring) => {
      const options = { filled: filledRows({ position, length }, size), neighbours, search: 'approximate', recallTarget: 0.95, retrieval: 'gather', rowOrder: ringOrder(size) } as const
      return retrievedAttention(queries, { keys, values }, options).places
    },
    tensorType('f32', [slots, 1, asked, width]),
    types,
  )

  test('moves no rows', () => {
    expect(read.textWithLocations).toContain('packed-2 bins=128')
    const [queries, memory] = [tensorType('f32', [slots, 1, asked, width]), tensorType('f32', [slots, 1, size, width])]
    const search = lowerWith(
      { target: 'tpu' },
      (q: Tensor, rows: Tensor, filled: Tensor) => retrievedAttention(q, { keys: rows, values: rows }, { filled, neighbours, search: 'approximate', recallTarget: 0.95, retrieval: 'masked-dense', rowOrder: 'mixed' }).out,
      queries, memory, tensorType('bool', [slots, size]),
    )
    expect(search.text).not.toMatch(/stablehlo\.(gather|transpose)/)
  })

  test.each(Object.keys(documents))('finds what it promises in a text that is %s', (name) => {
    const normal = normalNumbers(3)
    let ring = emptyRing(size, width)
    // Not from the first place on, and once around.
    const tokens = Array.from({ length: size + 3 * segment + 200 }, (_, token) => documents[name](token, normal))
    for (let at = 0; at < tokens.length; ) {
      const count = at === 0 ? 200 : segment
      const rows = tokens.slice(at, at + count)
      ring = steps(ring, [at === 0, at === 0], build('f32', [slots, 1, count, width], ([, , i, j]) => rows[i][j])).ring
      at += count
    }
    const queries = build('f32', [slots, 1, asked, width], ([, , , j]) => (j === 0 ? 1 : 0.3 * normal()))
    const found = interpretProgram(read, queries, ring) as HostArray
    const position = Number(ring.position.data[0])
    let hits = 0
    for (let query = 0; query < slots * asked; query++) {
      const q = Array.from({ length: width }, (_, j) => Number(queries.data[query * width + j]))
      const score = (token: number): number => tokens[token].reduce((sum, x, j) => sum + Math.fround(x) * q[j], 0)
      const best = Array.from({ length: size }, (_, i) => tokens.length - size + i).sort((a, b) => score(b) - score(a)).slice(0, neighbours)
      const tokensFound = new Set(Array.from(found.data.slice(query * neighbours, (query + 1) * neighbours) as Int32Array, (place) => tokens.length - 1 - ((position - 1 - place + size) % size)))
      for (const token of best) if (tokensFound.has(token)) hits++
    }
    expect(hits / (slots * asked * neighbours)).toBeGreaterThanOrEqual(0.95)
  })
})
