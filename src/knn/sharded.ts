import { customVjp } from '../autodiff/custom.ts'
import type { Tensor } from '../ir/module.ts'
import { shortType, tensorType } from '../ir/types.ts'
import { failIn } from '../lib/library-error.ts'
import { add, divide, multiply, subtract } from '../ops/arithmetic.ts'
import { allReduce } from '../ops/collective-reductions.ts'
import { allGather, newChannel, partitionId } from '../ops/collectives.ts'
import { and } from '../ops/bitwise.ts'
import { compare } from '../ops/compare.ts'
import { fill } from '../ops/constant.ts'
import { convert } from '../ops/convert.ts'
import { remainder } from '../ops/elementwise-binary.ts'
import { manualComputation } from '../ops/manual-computation.ts'
import type { Mesh } from '../ops/mesh.ts'
import { clamp, select } from '../ops/select.ts'
import { pad } from '../ops/slice-pad.ts'
import { unmixedIndex } from './mix-rows.ts'
import { type NearestOptions, nearest, pullScoresBack } from './nearest.ts'
import { bestOfSurvivors } from './partial-reduce.ts'
import { mixedMask, validRows } from './rows.ts'
import type { Neighbours } from './top-k.ts'

export interface ShardedOptions extends Omit<NearestOptions, 'shards'> {
  readonly mesh: Mesh
  /** The mesh's axis over whose devices the rows of the database lie: the first n / devices rows on the first, and so on. */
  readonly axis: string
  /** An axis over which the first dimension of the queries lies, and the database's too where queries and database share it. None by default. */
  readonly batchAxis?: string
}

/**
 * `nearest` in a database whose rows lie on the devices of a mesh: each device searches its own rows, adds the number of its first row to the indices, and gathers
 * what the others found (scores once, indices once); the best k of that are the same on all devices. Rows that the devices cannot share evenly are filled up with
 * rows that are not there. Each device looks for the best k as if it had all of them, for in rows of any order it may; of `unrelated` rows it needs to find
 * only its share. Queries `f32[q,d]`, database `f32[n,d]` -> values `f32[q,k]`, indices `i32[q,k]`; leading axes, `valid`, the recall target and
 * the gradient as for `nearest`; the gradient is worked out where the rows are, with one sum over the devices. Throws `OpError`, and `InputError` for an axis that the mesh does not have.
 */
export function shardedNearest(queries: Tensor, database: Tensor, options: ShardedOptions): Neighbours {
  const { mesh, axis, batchAxis, valid, rowOrder, k, distance = 'innerProduct' } = options
  if (database.rank < 2) failIn('shardedNearest', `a database has rows of numbers, [..., n, d]: ${shortType(database.type)}`)
  const [shards, size] = [mesh.size(axis), database.shape.at(-2)!]
  if (size === 0) failIn('shardedNearest', `the database ${shortType(database.type)} has no rows, so that nothing is near`)
  if (k > size) failIn('shardedNearest', `k is ${k}, but the database ${shortType(database.type)} has ${size} rows`)
  const share = Math.ceil(size / shards)
  const spread: Spread = {
    mesh, axis, batchAxis, share,
    queries: placement(queries, batchAxis),
    database: placement(database, database.rank > 2 ? batchAxis : undefined).with(-2, axis),
  }
  const present = rowsThere(valid, database, share * shards, rowOrder === 'mixed')
  const local = localOptions(options, share, shards)
  const find = customVjp(
    (q: Tensor, rows: Tensor): readonly [Neighbours, { q: Tensor; rows: Tensor; places: Tensor }] => {
      const { values, indices } = searchShards(q, rows, present, local, k, spread)
      const own = rowOrder === 'mixed' ? select(compare(indices, 0, 'GE'), unmixedIndex(indices, size), indices) : indices
      return [{ values, indices: own }, { q, rows, places: indices }]
    },
    ({ q, rows, places }, d: Neighbours) => pullShardsBack(q, rows, places, d.values, distance, spread),
  )
  return find(queries, filledUp(database, database.rank - 2, share * shards))
}

/** How the sides of a search lie on a mesh. */
interface Spread {
  readonly mesh: Mesh
  readonly axis: string
  readonly batchAxis: string | undefined
  /** Rows of each device. */
  readonly share: number
  readonly queries: readonly (string | null)[]
  readonly database: readonly (string | null)[]
}

/** Whole on every device, but for the first dimension if it lies along an axis. */
const placement = (x: Tensor, first: string | undefined): (string | null)[] => x.shape.map((_, i) => (i === 0 && first !== undefined ? first : null))

/** `x` with zeros at the end of an axis, up to a size. */
const filledUp = (x: Tensor, axis: number, size: number): Tensor => {
  const none = x.shape.map(() => 0)
  return pad(x, 0, none, none.with(axis, size - x.shape[axis]))
}

/** Which of the rows there are, of those that were added to fill the devices up as well: a mask of rows, or how many of the first. */
function rowsThere(valid: Tensor | number | undefined, database: Tensor, filled: number, mixed: boolean): Tensor | number | undefined {
  const size = database.shape.at(-2)!
  const said = validRows(valid, database)
  const given = said && mixed ? mixedMask(said, size) : said?.tensor
  if (!given) return filled === size ? undefined : size
  return given.dtype === 'bool' ? compare(filledUp(convert(given, 'i32'), given.rank - 1, filled), 0, 'NE') : given
}

/** What each device is asked for. */
function localOptions({ mesh: _mesh, axis: _axis, batchAxis: _batchAxis, k, rowOrder = 'any', ...options }: ShardedOptions, share: number, shards: number): NearestOptions {
  // A part of a mixed database is as well mixed as the whole.
  const order = rowOrder === 'mixed' ? 'unrelated' : rowOrder
  return rowOrder === 'unrelated' ? { ...options, k, rowOrder, shards } : { ...options, k: Math.min(k, share), rowOrder: order }
}

function searchShards(queries: Tensor, database: Tensor, present: Tensor | number | undefined, options: NearestOptions, k: number, { mesh, axis, batchAxis, share, ...at }: Spread): Neighbours {
  const given = typeof present === 'object' ? [present] : []
  const masks = given.map((x) => (x.dtype === 'bool' ? placement(x, x.rank > 1 ? batchAxis : undefined).with(-1, axis) : placement(x, batchAxis)))
  const [values, indices] = manualComputation({ mesh, in: [at.queries, at.database, ...masks], out: [at.queries, at.queries] }, [queries, database, ...given], (own, rows, mask) => {
    const firstRow = multiply(placeAlong(mesh, axis), share)
    const found = nearest(own, rows, { ...options, valid: validHere(typeof present === 'number' ? present : mask, firstRow, share) })
    return mergeShards(found, firstRow, mesh.groups(axis), k)
  })
  return { values, indices }
}

/** The cotangents of queries and database: of each device's own rows there, and of the queries summed over the devices. */
function pullShardsBack(queries: Tensor, database: Tensor, places: Tensor, dValues: Tensor, distance: NonNullable<NearestOptions['distance']>, { mesh, axis, batchAxis, share, ...at }: Spread): [Tensor, Tensor] {
  const sum = (x: Tensor, over: string): Tensor => allReduce(x, add, mesh.groups(over), { channel: newChannel(), globalIds: true })
  const inputs = [queries, database, places, dValues]
  const [dQueries, dDatabase] = manualComputation({ mesh, in: [at.queries, at.database, at.queries, at.queries], out: [at.queries, at.database] }, inputs, (own, rows, found, d) => {
    const row = subtract(found, multiply(placeAlong(mesh, axis), share))
    const here = and(compare(found, 0, 'GE'), and(compare(row, 0, 'GE'), compare(row, share, 'LT')))
    const [dOwn, dRows] = pullScoresBack(own, rows, select(here, row, fill(-1, row.type)), d, distance)
    // Rows that all queries share are on every device of the batch's axis.
    return [sum(dOwn, axis), batchAxis !== undefined && at.database[0] !== batchAxis ? sum(dRows, batchAxis) : dRows]
  })
  return [dQueries, dDatabase]
}

/** Where along an axis of its mesh the device stands: `i32[]`. */
function placeAlong(mesh: Mesh, axis: string): Tensor {
  const device = convert(partitionId(), 'i32')
  return remainder(divide(device, mesh.stride(axis)), mesh.size(axis))
}

/** Which of a shard's `size` rows there are: a mask comes in parts as the rows do, a count is that of all. */
function validHere(valid: Tensor | number | undefined, firstRow: Tensor, size: number): Tensor | undefined {
  if (valid === undefined) return undefined
  if (typeof valid === 'object' && valid.dtype === 'bool') return valid
  const count = typeof valid === 'number' ? fill(valid, tensorType('i32', [])) : valid
  return clamp(0, subtract(count, firstRow), size)
}

/** The best k of what the devices of each group found, the same on all of them. */
function mergeShards({ values, indices }: Neighbours, firstRow: Tensor, groups: readonly (readonly number[])[], k: number): Tensor[] {
  const rows = select(compare(indices, 0, 'GE'), add(indices, firstRow), indices)
  const axis = values.rank - 1
  const gather = (x: Tensor): Tensor => allGather(x, axis, groups, { channel: newChannel(), globalIds: true })
  const best = bestOfSurvivors({ values: gather(values), indices: gather(rows) }, k, axis)
  return [best.values, best.indices]
}
