import { InputError } from '../ir/errors.ts'
import type { Tensor } from '../ir/module.ts'
import { shortType, tensorType } from '../ir/types.ts'
import { failIn } from '../lib/library-error.ts'
import { add, divide, multiply, subtract } from '../ops/arithmetic.ts'
import { allGather, newChannel, partitionId } from '../ops/collectives.ts'
import { compare } from '../ops/compare.ts'
import { fill } from '../ops/constant.ts'
import { convert } from '../ops/convert.ts'
import { remainder } from '../ops/elementwise-binary.ts'
import { manualComputation } from '../ops/manual-computation.ts'
import type { Mesh } from '../ops/mesh.ts'
import { clamp, select } from '../ops/select.ts'
import { type NearestOptions, nearest } from './nearest.ts'
import { bestOfSurvivors } from './partial-reduce.ts'
import type { Neighbours } from './top-k.ts'

export interface ShardedOptions extends Omit<NearestOptions, 'shards' | 'rowOrder'> {
  readonly mesh: Mesh
  /** The mesh's axis over whose devices the rows of the database lie: the first n / devices rows on the first, and so on. */
  readonly axis: string
  /** An axis over which the first dimension of the queries lies, and the database's too where queries and database share it. None by default. */
  readonly batchAxis?: string
  /** As for `nearest`; rows that were mixed as a whole do not say which of them a shard has. */
  readonly rowOrder?: Exclude<NearestOptions['rowOrder'], 'mixed'>
}

/**
 * `nearest` in a database whose rows lie on the devices of a mesh: each device searches its own rows, with the bins that the whole database needs, adds the
 * number of its first row to the indices, and gathers what the others found (scores once, indices once); the best k of that are the same on all devices. Queries
 * `f32[q,d]`, database `f32[n,d]` -> values `f32[q,k]`, indices `i32[q,k]`; leading axes, `valid` and the recall target as for `nearest`. Not
 * differentiable. Throws `OpError`, and `InputError` unless the rows can be shared evenly.
 */
export function shardedNearest(queries: Tensor, database: Tensor, { mesh, axis, batchAxis, valid, ...options }: ShardedOptions): Neighbours {
  if (database.rank < 2) failIn('shardedNearest', `a database has rows of numbers, [..., n, d]: ${shortType(database.type)}`)
  const [shards, size] = [mesh.size(axis), database.shape.at(-2)!]
  if (size === 0 || size % shards !== 0)
    throw new InputError(
      `shardedNearest: ${shards} devices ('${axis}') cannot share the ${size} rows of ${shortType(database.type)} evenly: ` +
        'fill them up to a multiple, and say with `valid` which there are',
      'MESH',
    )
  const given = typeof valid === 'object' ? [valid] : []
  const placements = [
    placement(queries, batchAxis),
    placement(database, database.rank > 2 ? batchAxis : undefined).with(-2, axis),
    ...given.map((x) => (x.dtype === 'bool' ? placement(x, x.rank > 1 ? batchAxis : undefined).with(-1, axis) : placement(x, batchAxis))),
  ]
  const out = placement(queries, batchAxis)
  const [values, indices] = manualComputation({ mesh, in: placements, out: [out, out] }, [queries, database, ...given], (own, rows, ownValid) => {
    const firstRow = multiply(placeAlong(mesh, axis), size / shards)
    const found = nearest(own, rows, { ...options, shards, valid: validHere(typeof valid === 'number' ? valid : ownValid, firstRow, size / shards) })
    return mergeShards(found, firstRow, mesh.groups(axis), options.k)
  })
  return { values, indices }
}

/** Whole on every device, but for the first dimension if it lies along an axis. */
const placement = (x: Tensor, first: string | undefined): (string | null)[] => x.shape.map((_, i) => (i === 0 && first !== undefined ? first : null))

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
