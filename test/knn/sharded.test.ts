import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { vjp } from '../../src/autodiff/grad.ts'
import { type VectorOptions, openVectors } from '../../src/data/vectors.ts'
import { HostArray } from '../../src/ir/host-array.ts'
import type { Tensor } from '../../src/ir/module.ts'
import { type TensorType, tensorType } from '../../src/ir/types.ts'
import { mixRows } from '../../src/knn/mix-rows.ts'
import { type NearestOptions, nearest } from '../../src/knn/nearest.ts'
import { chooseLowering } from '../../src/knn/plan.ts'
import { type ShardedOptions, shardedNearest } from '../../src/knn/sharded.ts'
import type { Neighbours } from '../../src/knn/top-k.ts'
import { add, multiply } from '../../src/ops/arithmetic.ts'
import { iota } from '../../src/ops/iota.ts'
import { mesh } from '../../src/ops/mesh.ts'
import { shard } from '../../src/ops/sharding.ts'
import { compileFor } from '../../src/program/compile-for.ts'
import { interpretProgram } from '../../src/program/evaluate.ts'
import { lowerWith } from '../../src/program/lower.ts'
import type { Program } from '../../src/program/program.ts'
import type { Session } from '../../src/program/session.ts'
import { startRunner } from '../../src/program/start.ts'
import { messageOf } from '../support/message-of.ts'

const memory8 = mesh({ memory: 8 })
const data2memory4 = mesh({ data: 2, memory: 4 })

let runner: Session
beforeAll(async () => {
  runner = await startRunner({ devices: 8 })
})
afterAll(() => runner.close())

const vectors = async (reference: string, options?: VectorOptions): Promise<HostArray> => {
  const source = await openVectors(reference, options)
  return source.read(0, source.rows)
}

type Search = Program<[queries: Tensor, database: Tensor], Neighbours>

/** A search over a mesh, and the same on one device. */
function programs(types: readonly [TensorType, TensorType], { mesh: devices, axis, batchAxis, ...options }: ShardedOptions, target?: 'tpu'): { sharded: Search; whole: Search } {
  const over = (queries: Tensor, database: Tensor) => {
    // Uneven rows cannot lie on the devices beforehand.
    const even = database.shape.at(-2)! % devices.size(axis) === 0
    const rows = even ? shard(database, ...database.shape.map((_, i) => (i === database.rank - 2 ? axis : i === 0 && database.rank > 2 ? batchAxis ?? null : null))) : database
    return shardedNearest(batchAxis ? shard(queries, batchAxis) : queries, rows, { mesh: devices, axis, batchAxis, ...options })
  }
  return {
    sharded: lowerWith({ name: 'sharded', mesh: devices, target }, over, ...types),
    whole: lowerWith({ name: 'whole' }, (queries: Tensor, database: Tensor) => nearest(queries, database, options as NearestOptions), ...types),
  }
}

const cases: readonly (readonly [string, readonly number[], readonly number[], ShardedOptions])[] = [
  ['eight devices', [5, 8], [128, 8], { mesh: memory8, axis: 'memory', k: 7 }],
  ['l2', [5, 8], [128, 8], { mesh: memory8, axis: 'memory', k: 7, distance: 'l2' }],
  ['more neighbours than a device has rows', [3, 4], [64, 4], { mesh: memory8, axis: 'memory', k: 20, distance: 'cosine' }],
  ['queries over another axis', [6, 8], [64, 8], { mesh: data2memory4, axis: 'memory', batchAxis: 'data', k: 5 }],
  ['a database per slot', [4, 3, 8], [4, 32, 8], { mesh: data2memory4, axis: 'memory', batchAxis: 'data', k: 5 }],
  ['as many rows as are there, some devices with none', [4, 8], [64, 8], { mesh: memory8, axis: 'memory', k: 12, valid: 19 }],
  ['fewer rows than neighbours', [4, 8], [64, 8], { mesh: memory8, axis: 'memory', k: 12, valid: 5 }],
  ['rows that eight devices cannot share evenly', [5, 8], [101, 8], { mesh: memory8, axis: 'memory', k: 7 }],
  ['fewer rows than devices', [3, 4], [5, 4], { mesh: memory8, axis: 'memory', k: 5 }],
  ['uneven rows, of which some are there', [4, 8], [61, 8], { mesh: memory8, axis: 'memory', k: 6, valid: 40 }],
  ['uneven rows of a database per slot', [4, 3, 8], [4, 30, 8], { mesh: data2memory4, axis: 'memory', batchAxis: 'data', k: 5 }],
  ['rows in no order', [5, 8], [100, 8], { mesh: memory8, axis: 'memory', k: 30, rowOrder: 'unrelated' }],
]

/** What an optimised program has devices do together. */
const collectives = (hlo: string): string[] =>
  [...hlo.matchAll(/ = [^=]*? (all-gather|all-reduce|all-to-all|collective-permute|reduce-scatter)(-start)?\(/g)].map(([, name]) => name)

describe('shardedNearest', () => {
  it.each(cases)('finds on virtual devices what one device finds, in XLA and in the interpreter: %s', async (_what, queryShape, rowShape, options) => {
    const flat = async (shape: readonly number[], part: 'queries' | 'database') => {
      const { data } = await vectors(`gaussian:${shape.slice(0, -1).reduce((a, b) => a * b)}x${shape.at(-1)}`, { part })
      return new HostArray(tensorType('f32', shape), data)
    }
    const inputs = [await flat(queryShape, 'queries'), await flat(rowShape, 'database')] as const
    const { sharded, whole } = programs([inputs[0].type, inputs[1].type], options)
    const expected = interpretProgram(whole, ...inputs)
    const interpreted = interpretProgram(sharded, ...inputs)
    expect(interpreted.indices).toEqual(expected.indices)
    expect(interpreted.values).toEqual(expected.values)
    const executable = await runner.compile(sharded)
    for (let round = 0; round < 2; round++) {
      const found = await executable.run(...inputs)
      expect(found.indices).toEqual(expected.indices)
      found.values.data.forEach((value, i) => {
        const wanted = expected.values.data[i] as number
        if (Number.isFinite(wanted)) expect(Math.abs((value as number) - wanted)).toBeLessThan(1e-4)
        else expect(value).toBe(wanted)
      })
    }
    await executable.release()
  })

  it('takes masks in parts as the rows are', async () => {
    const [queries, database] = [await vectors('gaussian:4x8', { part: 'queries' }), await vectors('gaussian:64x8')]
    const mask = HostArray.of('bool', [64], Array.from({ length: 64 }, (_, i) => i % 3 === 0))
    const build = (search: typeof nearest) => (q: Tensor, rows: Tensor, valid: Tensor) => search(q, rows, { k: 6, valid })
    const types = [queries.type, database.type, mask.type] as const
    const sharded = lowerWith({ mesh: memory8 }, build((q, rows, options) => shardedNearest(q, rows, { ...options, mesh: memory8, axis: 'memory' })), ...types)
    const expected = interpretProgram(lowerWith({}, build(nearest), ...types), queries, database, mask)
    expect(interpretProgram(sharded, queries, database, mask)).toEqual(expected)
    const executable = await runner.compile(sharded)
    expect((await executable.run(queries, database, mask)).indices).toEqual(expected.indices)
  })

  it.each([
    ['all', undefined],
    ['as many as are counted', 300],
    ['a mask of them', HostArray.of('bool', [520], Array.from({ length: 520 }, (_, i) => i % 3 === 0))],
  ])('takes a database that was mixed as a whole, and gives its rows before mixing: %s', async (_what, valid) => {
    const [queries, database] = [await vectors('gaussian:4x8', { part: 'queries' }), await vectors('gaussian:520x8')]
    const inputs = [queries, database, ...(typeof valid === 'object' ? [valid] : [])] as [HostArray, HostArray]
    const types = inputs.map(({ type }) => type)
    const one = (q: Tensor, rows: Tensor, mask?: Tensor) => nearest(q, rows, { k: 9, valid: mask ?? (valid as number | undefined) })
    const over = (q: Tensor, rows: Tensor, mask?: Tensor) => shardedNearest(q, mixRows(rows), { k: 9, valid: mask ?? (valid as number | undefined), rowOrder: 'mixed', mesh: memory8, axis: 'memory' })
    const expected = interpretProgram(lowerWith({}, one as (...all: Tensor[]) => Neighbours, ...types), ...inputs)
    const sharded = lowerWith({ mesh: memory8 }, over as (...all: Tensor[]) => Neighbours, ...types)
    expect(interpretProgram(sharded, ...inputs)).toEqual(expected)
    const executable = await runner.compile(sharded)
    expect((await executable.run(...inputs)).indices).toEqual(expected.indices)
  })

  it.each<[string, readonly number[], readonly number[], ShardedOptions]>([
    ['eight devices', [5, 8], [128, 8], { mesh: memory8, axis: 'memory', k: 7 }],
    ['cosine, uneven rows', [5, 8], [101, 8], { mesh: memory8, axis: 'memory', k: 7, distance: 'cosine' }],
    ['l2, rows that all queries share', [6, 8], [60, 8], { mesh: data2memory4, axis: 'memory', batchAxis: 'data', k: 5, distance: 'l2' }],
    ['a database per slot, mixed', [4, 3, 8], [4, 256, 8], { mesh: data2memory4, axis: 'memory', batchAxis: 'data', k: 5, rowOrder: 'mixed' }],
    ['fewer rows there than neighbours', [4, 8], [64, 8], { mesh: memory8, axis: 'memory', k: 12, valid: 5 }],
  ])('has the gradients of one device for queries and database, in XLA and in the interpreter: %s', async (_what, queryShape, rowShape, { mesh: devices, axis, batchAxis, ...options }) => {
    const flat = async (shape: readonly number[], part: 'queries' | 'database') => new HostArray(tensorType('f32', shape), (await vectors(`gaussian:${shape.slice(0, -1).reduce((a, b) => a * b)}x${shape.at(-1)}`, { part })).data)
    const inputs = [await flat(queryShape, 'queries'), await flat(rowShape, 'database')] as const
    const order = (rows: Tensor): Tensor => (options.rowOrder === 'mixed' ? mixRows(rows) : rows)
    const gradients = (search: (q: Tensor, rows: Tensor) => Neighbours) => (q: Tensor, rows: Tensor) => {
      const { output, pullback } = vjp((a: Tensor, b: Tensor) => search(a, order(b)).values, q, rows)
      // A cotangent that is another for each query and neighbour.
      return pullback(add(multiply(iota(output.type, 0), 0.5), iota(output.type, output.rank - 1))) as [Tensor, Tensor]
    }
    const types = [inputs[0].type, inputs[1].type] as const
    const expected = interpretProgram(lowerWith({}, gradients((q, rows) => nearest(q, rows, options)), ...types), ...inputs) as HostArray[]
    const sharded = lowerWith({ mesh: devices }, gradients((q, rows) => shardedNearest(q, rows, { mesh: devices, axis, batchAxis, ...options })), ...types)
    const executable = await runner.compile(sharded)
    for (const found of [interpretProgram(sharded, ...inputs), await executable.run(...inputs)] as HostArray[][])
      expected.forEach((gradient, i) => {
        expect(found[i].shape).toEqual(gradient.shape)
        expect(Math.max(...Array.from(gradient.data as Float32Array, (x, at) => Math.abs(x - Number(found[i].data[at]))))).toBeLessThan(1e-4 * Math.max(...Array.from(gradient.data as Float32Array, (x) => Math.abs(x))))
      })
    expect(Math.max(...Array.from(expected[0].data, Number))).toBeGreaterThan(0.1)
  })

  it('reaches its recall where one device has all of the neighbours', () => {
    const rows = 4096
    // Sorted by what all queries look for, so that the best are on the last device.
    const normal = (seed: number): number => Math.sqrt(-2 * Math.log(((seed * 7919) % 65537) / 65537 + 1e-6)) * Math.cos(seed * 12.9898)
    const database = HostArray.of('f32', [rows, 4], Array.from({ length: rows * 4 }, (_, i) => (i % 4 === 0 ? (30 * (i / 4)) / rows : normal(i + 1))))
    const queries = HostArray.of('f32', [20, 4], Array.from({ length: 80 }, (_, i) => (i % 4 === 0 ? 1 : 0.5 * normal(i + 99_999))))
    const run = (options: Omit<ShardedOptions, 'mesh' | 'axis'>) => {
      const search = (q: Tensor, data: Tensor) => shardedNearest(q, options.rowOrder === 'mixed' ? mixRows(data) : data, { mesh: data2memory4, axis: 'memory', ...options }).indices
      return interpretProgram(lowerWith({ target: 'tpu' }, search, queries.type, database.type), queries, database) as HostArray
    }
    const k = 32
    const exact = run({ k, lowering: 'exact' })
    for (const rowOrder of ['any', 'mixed'] as const) {
      const found = run({ k, rowOrder, recallTarget: 0.9 })
      const line = (array: HostArray, query: number): number[] => Array.from(array.data.slice(query * k, (query + 1) * k) as Int32Array)
      const hits = Array.from({ length: 20 }, (_, query) => line(found, query).filter((row) => line(exact, query).includes(row)).length).reduce((a, b) => a + b)
      expect(hits / (20 * k), rowOrder).toBeGreaterThanOrEqual(0.9)
    }
  })

  it('reaches the recall of the whole with the bins of the whole', async () => {
    const [queries, database] = [await vectors('gaussian:50x16', { part: 'queries' }), await vectors('gaussian:8192x16')]
    const options: ShardedOptions = { mesh: memory8, axis: 'memory', k: 10, recallTarget: 0.9, lowering: 'packed', rowOrder: 'unrelated' }
    const { sharded, whole } = programs([queries.type, database.type], { ...options, rescore: true })
    const plan = chooseLowering({ size: 1024, shards: 8, k: 10, recallTarget: 0.9, lowering: 'packed' })
    expect(plan).toMatchObject({ bins: 128, perBin: 1 })
    expect(plan.expectedRecall).toBeGreaterThan(0.98)
    const exact = interpretProgram(lowerWith({}, (q: Tensor, rows: Tensor) => nearest(q, rows, { k: 10, lowering: 'exact' }), queries.type, database.type), queries, database)
    const recall = (found: HostArray): number => {
      const rows = (array: HostArray, query: number) => array.data.slice(query * 10, query * 10 + 10) as Int32Array
      return Array.from({ length: 50 }, (_, query) => rows(found, query).filter((row) => rows(exact.indices, query).includes(row)).length).reduce((a, b) => a + b) / 500
    }
    expect(recall(interpretProgram(whole, queries, database).indices)).toBeGreaterThanOrEqual(0.9)
    expect(recall((await (await runner.compile(sharded)).run(queries, database)).indices)).toBeGreaterThanOrEqual(0.95)
  })

  it('keeps one of each bin where the bins of all devices together are enough', () => {
    expect(chooseLowering({ size: 16384, shards: 4, k: 32, recallTarget: 0.9, target: 'tpu' })).toMatchObject({
      lowering: 'packed', bins: 128, perBin: 1,
      reason: 'packed: the target is tpu; the best of each of 128 bins of each of 4 shards reach recall 0.9705 for the 0.9 wanted',
    })
    expect(chooseLowering({ size: 65536, k: 32, target: 'tpu' })).toMatchObject({ lowering: 'packed-2', bins: 128 })
  })

  it('gathers twice and does nothing else between devices, on CPUs and on TPUs', async () => {
    const types = [tensorType('f32', [256, 128]), tensorType('f32', [65536, 128])] as const
    for (const rowOrder of ['any', 'mixed'] as const) {
      const options: ShardedOptions = { mesh: mesh({ memory: 4 }), axis: 'memory', k: 32, rowOrder }
      for (const [target, program] of [['cpu', programs(types, options).sharded], ['tpu:v5e:2x2', programs(types, options, 'tpu').sharded]] as const) {
        const found = collectives((await compileFor(program, target)).hlo)
        expect(found.length, target).toBeGreaterThan(0)
        expect(found.length, target).toBeLessThanOrEqual(2)
        expect(new Set(found), target).toEqual(new Set(['all-gather']))
      }
    }
  })

  it('sums the gradient of the queries once, and moves nothing else for it', async () => {
    const devices = mesh({ memory: 4 })
    const both = (q: Tensor, rows: Tensor, d: Tensor) => {
      const { output, pullback } = vjp((a: Tensor) => shardedNearest(a, shard(rows, 'memory', null), { mesh: devices, axis: 'memory', k: 32 }), q)
      return [output.indices, pullback({ values: d, indices: output.indices } as never)]
    }
    const program = lowerWith({ name: 'both', mesh: devices }, both, tensorType('f32', [256, 128]), tensorType('f32', [8192, 128]), tensorType('f32', [256, 32]))
    const found = collectives((await compileFor(program, 'cpu')).hlo)
    expect(found.filter((name) => name === 'all-gather').length).toBeLessThanOrEqual(2)
    expect(found.filter((name) => name !== 'all-gather')).toEqual(['all-reduce'])
  })

  it.each([
    [[0, 4], { mesh: memory8, axis: 'memory', k: 3 }, 'shardedNearest: the database f32[0,4] has no rows, so that nothing is near'],
    [[64, 4], { mesh: memory8, axis: 'rows', k: 3 }, `the mesh <["memory"=8]> has no axis 'rows'`],
    [[64, 4], { mesh: memory8, axis: 'memory', k: 65 }, 'shardedNearest: k is 65, but the database f32[64,4] has 64 rows'],
    [[64, 4], { mesh: data2memory4, axis: 'memory', batchAxis: 'data', k: 3 }, "dimension 0 of f32[3,4] cannot be split evenly over 2 devices ('data'): fill it up to a multiple"],
  ] as const)('refuses a database %j with %j', (shape, options, message) => {
    const build = () => lowerWith({}, (q: Tensor, rows: Tensor) => shardedNearest(q, rows, options), tensorType('f32', [3, 4]), tensorType('f32', shape))
    expect(messageOf(build)).toBe(message)
  })

  it('says how many devices the runner lacks', async () => {
    const { sharded } = programs([tensorType('f32', [2, 4]), tensorType('f32', [32, 4])], { mesh: mesh({ memory: 16 }), axis: 'memory', k: 2 })
    await expect(runner.compile(sharded)).rejects.toThrow('sharded is for 16 devices, this runner has 8: start it with devices: 16')
  })
})
