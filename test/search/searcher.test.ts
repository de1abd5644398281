import { describe, expect, it } from 'vitest'
import { datasetKinds } from '../../src/data/vector-datasets.ts'
import { openVectors, readFiniteRows } from '../../src/data/vectors.ts'
import { HostArray } from '../../src/ir/host-array.ts'
import { distances } from '../../src/knn/score.ts'
import { startInterpreter } from '../../src/program/start.ts'
import { buildIndex } from '../../src/search/build-index.ts'
import type { VectorIndex } from '../../src/search/index-file.ts'
import { measureSearch, recallOf } from '../../src/search/measure.ts'
import { LoadedIndex } from '../../src/search/searcher.ts'

const rowsOf = async (reference: string, part: 'database' | 'queries') => {
  const source = await openVectors(reference, { seed: 3, part })
  return { source, values: await readFiniteRows(source, 0, source.rows) }
}

/** Rows of the source by their nearness to one query, computed one by one. */
function ranking(values: Float32Array, query: Float32Array, size: number, distance: (typeof distances)[number]): number[] {
  const scores = Array.from({ length: values.length / size }, (_, row) => {
    const vector = values.subarray(row * size, (row + 1) * size)
    const product = vector.reduce((sum, value, i) => sum + value * query[i], 0)
    if (distance === 'innerProduct') return product
    return distance === 'cosine' ? product / Math.hypot(...vector) : -vector.reduce((sum, value, i) => sum + (value - query[i]) ** 2, 0)
  })
  return [...scores.keys()].sort((a, b) => scores[b] - scores[a])
}

describe('Searcher', () => {
  it.each(distances)('finds the rows of the source, in batches of any size: %s', async (distance) => {
    const { source, values } = await rowsOf('gaussian:60x4', 'database')
    const { values: queries } = await rowsOf('gaussian:5x4', 'queries')
    const searcher = await new LoadedIndex(startInterpreter(), await buildIndex(source, { distance })).searcher({ k: 4, recallTarget: 1, batch: 3 })
    for (const [first, count] of [[0, 3], [3, 2]]) {
      const found = await searcher.search(queries.subarray(first * 4, (first + count) * 4))
      expect(found.count).toBe(count)
      const wanted = Array.from({ length: count }, (_, i) => ranking(values, queries.subarray((first + i) * 4, (first + i + 1) * 4), 4, distance).slice(0, 4))
      expect([...found.indices]).toEqual(wanted.flat())
      expect(found.values.length).toBe(4 * count)
    }
    await expect(searcher.search(queries)).rejects.toThrow('a search takes up to 3 queries of 4 components, got 20 numbers')
  })

  it('gives scores that mean what they say', async () => {
    const { source, values } = await rowsOf('gaussian:20x4', 'database')
    const { values: query } = await rowsOf('gaussian:1x4', 'queries')
    for (const distance of distances) {
      const searcher = await new LoadedIndex(startInterpreter(), await buildIndex(source, { distance })).searcher({ k: 1, batch: 1 })
      const { indices: [row], values: [score] } = await searcher.search(query)
      const vector = values.subarray(row * 4, row * 4 + 4)
      const product = vector.reduce((sum, value, i) => sum + value * query[i], 0)
      const expected = { innerProduct: product, cosine: product / Math.hypot(...vector) / Math.hypot(...query), l2: -vector.reduce((sum, value, i) => sum + (value - query[i]) ** 2, 0) }
      expect(score).toBeCloseTo(expected[distance], 4)
    }
  })
})

describe('measureSearch', () => {
  it.each(datasetKinds)('finds that the best two of each bin reach the recall, whatever the order of the rows: %s', async (kind) => {
    const { source } = await rowsOf(`${kind}:3000x8`, 'database')
    const { values: queries } = await rowsOf(`${kind}:40x8`, 'queries')
    const loaded = new LoadedIndex(startInterpreter(), await buildIndex(source, { distance: 'l2' }))
    const sample = { count: 40, queries }
    const search = { k: 10, recallTarget: 0.95, batch: 40 }
    const { truth, recall } = await measureSearch(loaded, { ...search, lowering: 'exact' }, sample, { rounds: 1 })
    expect(recall).toBe(1)
    const measured = await measureSearch(loaded, { ...search, lowering: 'packed-2' }, { ...sample, truth }, { rounds: 1 })
    expect(measured.recall).toBeGreaterThanOrEqual(0.95)
    expect(measured.microsecondsPerQuery).toBeGreaterThan(0)
  })
})

describe('recallOf', () => {
  const index: VectorIndex = {
    rows: 4, size: 1, distance: 'l2', dtype: 'f32', source: 'x', shuffleSeed: 0,
    vectors: HostArray.from('f32', [[5], [1], [2], [2]]),
    sourceRows: HostArray.from('i32', [3, 0, 1, 2]),
  }
  const found = (indices: number[], k: number) => ({ count: indices.length / k, k, indices: Int32Array.from(indices), values: new Float32Array(indices.length) })
  // Rows of the source: 1, 2, 2, 5.
  it.each([
    [[0, 1], [0, 1], 1],
    [[0, 1], [0, 2], 1],
    [[0, 1], [0, 3], 0.5],
    [[0, 1], [1, 1], 0.5],
    [[0, 1], [-1, -1], 0],
    [[0, -1], [0, -1], 1],
    [[-1, -1], [-1, -1], 1],
  ])('true %j, found %j: %d', (truth, rows, recall) => {
    expect(recallOf(index, Float32Array.of(0), found(truth, 2), found(rows, 2))).toBe(recall)
  })
})
