import { describe, expect, it } from 'vitest'
import { HostArray } from '../../src/ir/host-array.ts'
import { type Tensor, walkOperations } from '../../src/ir/module.ts'
import { tensorType } from '../../src/ir/types.ts'
import { mixRows, mixedPlace, unmixedIndex } from '../../src/knn/mix-rows.ts'
import { type NearestOptions, nearest, rowOrders } from '../../src/knn/nearest.ts'
import { chooseLowering, searchLowerings } from '../../src/knn/plan.ts'
import { distances } from '../../src/knn/score.ts'
import { stopGradient } from '../../src/autodiff/custom.ts'
import { slice } from '../../src/ops/slice-pad.ts'
import { reduceSum } from '../../src/ops/reduce.ts'
import { grad } from '../../src/autodiff/grad.ts'
import { evaluate } from '../../src/program/evaluate.ts'
import { lowerWith } from '../../src/program/lower.ts'
import { checkGradient } from '../support/gradient-check.ts'
import { traceError } from '../support/run-ops.ts'
import { bestOfBins, binOf, integers, score, vectorsOf } from './search-reference.ts'

const whole = (shape: readonly number[], seed: number): HostArray => HostArray.of('f32', shape, integers(shape.reduce((a, b) => a * b, 1), seed))
const search = (queries: HostArray, database: HostArray, options: NearestOptions) =>
  evaluate((q: Tensor, rows: Tensor) => nearest(q, options.rowOrder === 'mixed' ? mixRows(rows) : rows, options), queries, database)
const lines = (array: HostArray): number[][] => vectorsOf(array)
const f32 = Math.fround

describe('nearest, exactly', () => {
  const queries = whole([3, 4], 1)
  const database = whole([20, 4], 2)

  it.each(distances)('finds the nearest by %s, the nearest first', (distance) => {
    const { values, indices } = search(queries, database, { k: 5, distance })
    vectorsOf(queries).forEach((query, q) => {
      const scores = vectorsOf(database).map((row) => score[distance](query, row))
      const best = [...scores].sort((a, b) => b - a).slice(0, 5)
      lines(values)[q].forEach((value, i) => expect(value).toBeCloseTo(best[i], 4))
      lines(indices)[q].forEach((row, i) => expect(scores[row]).toBeCloseTo(best[i], 4))
    })
  })

  it('searches the memory of each slot and head, and a plain one for any queries', () => {
    const [many, own] = [whole([2, 3, 4, 5], 3), whole([2, 3, 30, 5], 4)]
    const { indices, values } = search(many, own, { k: 2 })
    expect([values.shape, indices.shape]).toEqual([[2, 3, 4, 2], [2, 3, 4, 2]])
    const part = (array: HostArray, at: number, shape: readonly number[]) => {
      const size = shape.reduce((a, b) => a * b)
      return HostArray.of('f32', shape, Array.from(array.data.slice(at * size, (at + 1) * size), Number))
    }
    for (let at = 0; at < 6; at++)
      expect(search(part(many, at, [4, 5]), part(own, at, [30, 5]), { k: 2 }).values.toNested()).toEqual((values.toNested() as number[][][][])[Math.floor(at / 3)][at % 3])
    expect(search(many, part(own, 0, [30, 5]), { k: 2 }).values.shape).toEqual([2, 3, 4, 2])
    expect(search(whole([5], 1), part(own, 0, [30, 5]), { k: 2 }).values.shape).toEqual([2])
  })

  it('gives -inf and -1 for what is not there', () => {
    const { values, indices } = search(queries, database, { k: 4, valid: 2 })
    lines(values).forEach((line) => expect(line.slice(2)).toEqual([-Infinity, -Infinity]))
    lines(indices).forEach((line) => {
      expect(line.slice(2)).toEqual([-1, -1])
      expect(line.slice(0, 2).sort()).toEqual([0, 1])
    })
    expect(new Set(lines(search(queries, database, { k: 3, valid: 0 }).indices).flat())).toEqual(new Set([-1]))
  })

  it('takes what is valid as mask or count, of all or of each', () => {
    const [many, own] = [whole([2, 3, 2, 4], 5), whole([2, 3, 10, 4], 6)]
    const found = (valid: HostArray): number[][][] =>
      (evaluate((q: Tensor, rows: Tensor, v: Tensor) => nearest(q, rows, { k: 10, valid: v }).indices, many, own, valid).toNested() as number[][][][]).flat()
    const there = (valid: HostArray) => found(valid).map((slot) => slot[0].filter((row) => row >= 0).sort((a, b) => a - b))
    const mask = (shape: readonly number[], rule: (i: number) => boolean) => HostArray.of('bool', shape, Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => Number(rule(i))))
    const even = [0, 2, 4, 6, 8]
    expect(there(mask([10], (i) => i % 2 === 0))).toEqual(new Array(6).fill(even))
    expect(there(mask([2, 10], (i) => i < 10 && i % 2 === 0))).toEqual([even, even, even, [], [], []])
    expect(there(mask([2, 3, 10], (i) => i % 10 === Math.floor(i / 10)))).toEqual([[0], [1], [2], [3], [4], [5]])
    expect(there(HostArray.of('i32', [], [2]))).toEqual(new Array(6).fill([0, 1]))
    expect(there(HostArray.of('i32', [2], [1, 0]))).toEqual([[0], [0], [0], [], [], []])
    expect(there(HostArray.of('i32', [2, 3], [0, 1, 2, 0, 1, 2]))).toEqual([[], [0], [0, 1], [], [0], [0, 1]])
  })

  it('gives f32 scores of bf16 vectors', () => {
    const narrow = (array: HostArray) => HostArray.of('bf16', array.shape, array.data as Float32Array)
    const { values } = search(narrow(queries), narrow(database), { k: 3 })
    expect(values.dtype).toBe('f32')
    expect(values.toNested()).toEqual(search(queries, database, { k: 3 }).values.toNested())
  })
})

describe('every lowering', () => {
  const [rows, k, recallTarget] = [1024, 20, 0.8]
  const queries = whole([3, 6], 11)
  const database = whole([rows, 6], 12)
  const cases = searchLowerings.filter((lowering) => lowering !== 'exact').flatMap((lowering) => rowOrders.map((rowOrder) => ({ lowering, rowOrder })))

  it.each(cases)('$lowering finds what its definition says, rows $rowOrder', ({ lowering, rowOrder }) => {
    const { bins, perBin } = chooseLowering({ size: rows, k, recallTarget, lowering })
    expect(bins * perBin).toBeLessThan(rows)
    const { values, indices } = search(queries, database, { k, recallTarget, lowering, rowOrder })
    vectorsOf(queries).forEach((query, q) => {
      // Whole numbers below 2^13 keep all of their bits beside a position.
      const scores = vectorsOf(database).map((row) => score.innerProduct(query, row))
      expect(lines(values)[q]).toEqual(bestOfBins(scores, k, { bins, perBin, mixed: rowOrder !== 'unrelated' }))
      expect(lines(indices)[q].map((row) => scores[row])).toEqual(lines(values)[q])
      expect(new Set(lines(indices)[q]).size).toBe(k)
    })
  })

  it.each(cases)('$lowering, rows $rowOrder: n of no multiple, rows that are not there, rows and queries with NaN', ({ lowering, rowOrder }) => {
    const odd = whole([901, 6], 13)
    const valid = HostArray.of('bool', [901], Array.from({ length: 901 }, (_, i) => Number(i % 3 === 0)))
    odd.data[6 * 300] = NaN
    odd.data[6 * 603 + 1] = Infinity
    const asked = whole([2, 6], 14)
    asked.data[6] = NaN
    const { values, indices } = evaluate(
      (q: Tensor, data: Tensor, v: Tensor) => {
        const mixed = rowOrder === 'mixed' ? mixRows(data) : data
        return nearest(q, mixed, { k: 30, recallTarget: 0.5, lowering, rowOrder, valid: v, distance: 'l2' })
      },
      asked, odd, valid,
    )
    const [query] = vectorsOf(asked)
    lines(indices)[0].forEach((row, i) => {
      expect(row % 3).toBe(0)
      expect([300, 603]).not.toContain(row)
      expect(lines(values)[0][i]).toBeCloseTo(score.l2(query, vectorsOf(odd)[row]), 0)
    })
    expect(lines(indices)[1]).toEqual(new Array(30).fill(-1))
    expect(lines(values)[1]).toEqual(new Array(30).fill(-Infinity))
  })

  it('keeps of packed scores what is left beside a position, unless they are to be computed again', () => {
    const fractions = HostArray.of('f32', [rows, 6], Array.from(database.data as Float32Array, (x) => x / 7))
    const exact = (q: number, row: number) => f32(score.innerProduct(vectorsOf(queries)[q], vectorsOf(fractions)[row]))
    const error = (rescore: boolean): number => {
      const { values, indices } = search(queries, fractions, { k: 8, lowering: 'packed-2', recallTarget: 0.5, rescore })
      const errors = lines(values).flatMap((line, q) => line.map((value, i) => Math.abs(value - exact(q, lines(indices)[q][i])) / Math.abs(value)))
      return Math.max(...errors)
    }
    // 8 rows of 128 bins take 3 of 23 bits.
    expect(error(false)).toBeLessThan(2 ** -19)
    expect(error(false)).toBeGreaterThan(2 ** -23)
    expect(error(true)).toBeLessThan(2 ** -22)
  })
})

describe('the order of rows', () => {
  it.each([1, 2, 127, 128, 300, 1024, 10007])('mixing %i rows is a permutation that can be undone', (size) => {
    const all = HostArray.of('i32', [size], Array.from({ length: size }, (_, i) => i))
    const places = evaluate((x: Tensor) => mixedPlace(x, size), all)
    expect(new Set(Array.from(places.data, Number)).size).toBe(size)
    expect(Math.max(...(places.data as Int32Array))).toBe(size - 1)
    expect(evaluate((x: Tensor) => unmixedIndex(x, size), places).toNested()).toEqual(all.toNested())
  })

  it('mixes the rows of every slot alike', () => {
    const one = whole([256, 2], 1)
    const two = HostArray.of('f32', [2, 256, 2], [...Array.from(one.data, Number), ...Array.from(one.data, Number)])
    const mixed = evaluate(mixRows, two).toNested() as number[][][]
    expect(mixed[0]).toEqual(evaluate(mixRows, one).toNested())
    expect(mixed[1]).toEqual(mixed[0])
    expect(mixed[0]).not.toEqual(one.toNested())
  })

  it.each([128, 256, 1024])('rows of one phase of any power of two lie in different ones of %i bins', (bins) => {
    for (let period = 128; period <= 65536; period *= 2)
      for (const phase of [0, period >> 1, period - 1]) {
        const found = Array.from({ length: 128 }, (_, i) => binOf(phase + i * period, bins, true))
        expect(new Set(found).size, `period ${period}, phase ${phase}`).toBe(128)
      }
  })
})

describe('gradients of nearest', () => {
  it.each(distances)('go to queries and database, %s', (distance) => {
    checkGradient({ build: (q, rows) => nearest(q, rows, { k: 3, distance, valid: 7 }).values, inputs: [whole([2, 3], 21), whole([9, 3], 22)], tolerance: 1e-5 })
  })

  it('go through the rows that a packed search finds', () => {
    const database = whole([600, 2], 23)
    checkGradient({ build: (q, rows) => nearest(q, rows, { k: 4, lowering: 'packed-2', recallTarget: 0.5 }).values, inputs: [whole([1, 2], 24), database], wrt: [0], tolerance: 1e-4 })
  })

  it('are zero where nothing is there, also next to NaN', () => {
    const database = HostArray.of('f32', [3, 2], [NaN, 1, 2, 3, NaN, NaN])
    const [dq, drows] = evaluate(grad((q: Tensor, rows: Tensor) => reduceSum(nearestThere(q, rows)), { wrt: [0, 1] }) as never, whole([1, 2], 1) as never, database as never) as unknown as HostArray[]
    expect(dq.toNested()).toEqual([[2, 3]])
    expect((drows.toNested() as number[][])[0]).toEqual([0, 0])
  })

  it('leave the search out of the gradient program', () => {
    const text = lowerWith({ target: 'tpu' }, (q: Tensor, rows: Tensor) => nearest(stopGradient(q), stopGradient(rows), { k: 32 }), tensorType('f32', [64, 16]), tensorType('f32', [8192, 16])).text
    expect(text.match(/"stablehlo.sort"/g)).toHaveLength(1)
    expect(text).not.toContain('gather')
  })
})

/** The first of the nearest; the others are not there. */
const nearestThere = (q: Tensor, rows: Tensor): Tensor => {
  const { values } = nearest(q, rows, { k: 2 })
  return slice(values, [0, 0], [1, 1])
}

describe('where the ops of nearest come from', () => {
  it.each(searchLowerings)('is the line that calls it, and its scope names the plan: %s', (lowering) => {
    const program = lowerWith({ target: 'tpu' }, (q: Tensor, rows: Tensor) => nearest(q, rows, { k: 8, lowering, recallTarget: 0.8, valid: 600, distance: 'cosine' }), tensorType('f32', [4, 8]), tensorType('f32', [700, 8]))
    const places: (string | undefined)[] = []
    walkOperations(program.module.functions.find(({ name }) => name === 'main')!.block, ({ location, definition }) => {
      if (definition.name !== 'func.return') places.push(`${location?.callSite?.file.split('/').at(-1)} ${location?.scope.split('[')[0]}`)
    })
    expect(new Set(places)).toEqual(new Set(['nearest.test.ts nearest']))
  })
})

describe('what nearest refuses', () => {
  const at = (queries: readonly number[], database: readonly number[], options: NearestOptions, dtype: 'f32' | 'i32' = 'f32') =>
    traceError((q, rows) => nearest(q, rows, options), tensorType('f32', queries), tensorType(dtype, database))

  it('says what was given', () => {
    expect([
      at([4, 8], [100, 8], { k: 0 }),
      at([4, 8], [100, 8], { k: 101 }),
      at([4, 8], [0, 8], { k: 1 }),
      at([4, 8], [100, 8], { k: 1, recallTarget: 0 }),
      at([4, 8], [100, 8], { k: 1, recallTarget: 1.5 }),
      at([4, 8], [100, 9], { k: 1 }),
      at([3, 4, 8], [2, 100, 8], { k: 1 }),
      at([8], [2, 100, 8], { k: 1 }),
      at([4, 8], [8], { k: 1 }),
      at([4, 8], [100, 8], { k: 1 }, 'i32'),
      at([4, 8], [100, 8], { k: 1, valid: 101 }),
      at([4, 8], [100, 8], { k: 1, lowering: 'fast' as 'exact' }),
      at([4, 8], [100, 8], { k: 1, distance: 'l1' as 'l2' }),
      traceError((q, rows, v) => nearest(q, rows, { k: 1, valid: v }), tensorType('f32', [2, 4, 8]), tensorType('f32', [2, 100, 8]), tensorType('bool', [100, 2])),
      traceError((q, rows, v) => nearest(q, rows, { k: 1, valid: v }), tensorType('f32', [2, 4, 8]), tensorType('f32', [2, 100, 8]), tensorType('f32', [2])),
      traceError((rows) => mixRows(rows), tensorType('f32', [100])),
    ]).toMatchInlineSnapshot(`
      [
        "nearest: k is 0, must be an integer of 1 or more",
        "nearest: k is 101, but the database f32[100,8] has 100 rows",
        "nearest: the database f32[0,8] has no rows, so that nothing is near; rows that may come later are rows that are not valid yet",
        "nearest: the recall target is 0, must be greater than 0 and at most 1",
        "nearest: the recall target is 1.5, must be greater than 0 and at most 1",
        "nearest: queries have 8 numbers, rows have 9: queries f32[4,8], database f32[100,9]",
        "nearest: leading axes differ: queries f32[3,4,8], database f32[2,100,8]",
        "nearest: queries need the database's 1 leading axes and an axis of numbers: queries f32[8], database f32[2,100,8]",
        "nearest: a database has rows of numbers, [..., n, d]: queries f32[4,8], database f32[8]",
        "nearest: queries and database differ in element type: queries f32[4,8], database i32[100,8]",
        "nearest: valid is 101, must be an integer from 0 to the 100 rows of the database f32[100,8]",
        "nearest: lowering 'fast' is none of auto, exact, custom-call, partial-reduce, packed, packed-2",
        "nearest: distance 'l1' is none of innerProduct, cosine, l2",
        "nearest: valid bool[100,2] must be bool over the rows of the database f32[2,100,8], with leading axes of its: bool[100] or bool[2,100]",
        "nearest: valid f32[2] must be bool[100] or bool[2,100], or as a count i32[] or i32[2], for the database f32[2,100,8]",
        "mixRows: a database has rows of numbers, [..., n, d]; got f32[100]",
      ]
    `)
  })

  it('points to the line', () => {
    expect(() => evaluate((q: Tensor, rows: Tensor) => nearest(q, rows, { k: 9 }), whole([1, 2], 1), whole([3, 2], 1))).toThrow(/nearest\.test\.ts:\d+/)
  })
})
