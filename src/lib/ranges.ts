import { type DType, isFloat, isInteger } from '../ir/dtypes.ts'
import type { Tensor } from '../ir/module.ts'
import { shortType, tensorType } from '../ir/types.ts'
import { add, multiply } from '../ops/arithmetic.ts'
import { broadcastTo } from '../ops/broadcast.ts'
import { compare } from '../ops/compare.ts'
import { fill } from '../ops/constant.ts'
import { iota } from '../ops/iota.ts'
import { reshape } from '../ops/reshape.ts'
import { select } from '../ops/select.ts'
import { failIn } from './library-error.ts'

/** Positions and masks made of positions: always iota and compare, never a constant that grows with its shape. */

export interface ArangeOptions {
  readonly start?: number
  readonly step?: number
  /** `i32` by default. */
  readonly dtype?: DType
}

/** `start, start + step, ...`: `count` numbers, from 0 in steps of 1 by default. Throws `OpError`. */
export function arange(count: number, { start = 0, step = 1, dtype = 'i32' }: ArangeOptions = {}): Tensor {
  if (!Number.isInteger(count) || count < 0) failIn('arange', `count ${count} must be an integer of 0 or more`)
  if (!isFloat(dtype) && !isInteger(dtype)) failIn('arange', `cannot count in ${dtype}`)
  const positions = iota(tensorType(dtype, [count]), 0)
  const scaled = step === 1 ? positions : multiply(positions, step)
  return start === 0 ? scaled : add(scaled, start)
}

/** Row and column position of each place of a matrix. */
const positions = (rows: number, columns: number) => {
  const type = tensorType('i32', [rows, columns])
  return { row: iota(type, 0), column: iota(type, 1) }
}

/**
 * Which keys a query may see: true where the key's position is not after the query's. With more keys than queries the queries are the
 * last of them (`offset` is by default `keys - queries`), as with a cache before the segment. -> `bool[queries,keys]`. Throws `OpError`.
 */
export function causalMask(queries: number, keys: number = queries, offset: number = keys - queries): Tensor {
  for (const size of [queries, keys]) if (!Number.isInteger(size) || size < 0) failIn('causalMask', `size ${size} must be an integer of 0 or more`)
  const { row, column } = positions(queries, keys)
  return compare(column, offset === 0 ? row : add(row, offset), 'LE')
}

function triangle(name: string, x: Tensor, diagonal: number, direction: 'LE' | 'GE'): Tensor {
  if (x.rank < 2) failIn(name, `needs a matrix, got ${shortType(x.type)}`)
  const [rows, columns] = x.shape.slice(-2)
  const { row, column } = positions(rows, columns)
  const mask = compare(column, diagonal === 0 ? row : add(row, diagonal), direction)
  const wide = reshape(mask, [...x.shape.slice(0, -2).map(() => 1), rows, columns])
  return select(broadcastTo(wide, x.shape), x, fill(x.dtype === 'bool' ? false : 0, x.type))
}

/** The last two axes' lower triangle, zeros above the diagonal (moved `diagonal` places up). Throws `OpError`. */
export const lowerTriangle = (x: Tensor, diagonal = 0): Tensor => triangle('lowerTriangle', x, diagonal, 'LE')
/** The last two axes' upper triangle, zeros below the diagonal (moved `diagonal` places up). Throws `OpError`. */
export const upperTriangle = (x: Tensor, diagonal = 0): Tensor => triangle('upperTriangle', x, diagonal, 'GE')
