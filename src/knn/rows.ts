import { Tensor } from '../ir/module.ts'
import { sameShape, shortType, tensorType } from '../ir/types.ts'
import { failIn } from '../lib/library-error.ts'
import { wideType } from '../lib/wide.ts'
import { add, multiply } from '../ops/arithmetic.ts'
import { and } from '../ops/bitwise.ts'
import { broadcastInDim } from '../ops/broadcast.ts'
import { compare } from '../ops/compare.ts'
import { fill, zeros } from '../ops/constant.ts'
import { convert } from '../ops/convert.ts'
import { iota } from '../ops/iota.ts'
import { expandDims, reshape, squeeze } from '../ops/reshape.ts'
import { select } from '../ops/select.ts'
import { pad } from '../ops/slice-pad.ts'
import { mixRows, stirBins, unmixedIndex, unstirredRow } from './mix-rows.ts'

/**
 * How the rows of a database stand in a search: as they are, or as an `[R, L]` view for bins, filled up to a multiple of L, its lines perhaps
 * stirred; and which row of the user's stands at each place.
 */
export interface RowLayout {
  /** Rows of the database, n. */
  readonly size: number
  /** Bins of the view; undefined for none. */
  readonly bins: number | undefined
  /** The lines of the view are ordered by `stirBins`. */
  readonly stirred: boolean
  /** The view is flattened to `[R L]` again: the bins are not ours to reduce. */
  readonly flat: boolean
  /** The database comes from `mixRows`. */
  readonly mixed: boolean
}

/** Sizes of the row axes: `[n]`, `[R, L]` or `[R L]`. */
function rowShape({ size, bins, flat }: RowLayout): number[] {
  if (bins === undefined) return [size]
  const lines = Math.ceil(size / bins)
  return flat ? [lines * bins] : [lines, bins]
}

/** The database in its layout: `[batch, n, d]` -> `[batch, n, d]`, `[batch, R, L, d]` or `[batch, R L, d]`. */
export function viewRows(database: Tensor, layout: RowLayout): Tensor {
  const { bins, size, stirred } = layout
  if (bins === undefined) return database
  const lines = Math.ceil(size / bins)
  const none = database.shape.map(() => 0)
  const filled = pad(database, 0, none, none.with(-2, lines * bins - size))
  const view = reshape(filled, database.shape.toSpliced(-2, 1, lines, bins))
  return reshape(stirred ? stirBins(view) : view, database.shape.toSpliced(-2, 1, ...rowShape(layout)))
}

/** Which row of the database that was given stands at a place: places `i32` in `[0, R L)` of any shape -> the same. */
export function givenRow(place: Tensor, { bins, stirred }: RowLayout): Tensor {
  if (!stirred || bins === undefined) return place
  return unstirredRow(place, bins)
}

/** Which row of the user's a row of the given database is. */
export const userRow = (row: Tensor, { size, mixed }: RowLayout): Tensor => (mixed && size > 1 ? unmixedIndex(row, size) : row)

/** Which rows there are: a mask of rows, or how many of the first. */
export type ValidRows = { readonly kind: 'mask' | 'count'; readonly tensor: Tensor }

/** What the user said about valid rows, checked. Throws `OpError`. */
export function validRows(valid: Tensor | number | undefined, database: Tensor): ValidRows | undefined {
  if (valid === undefined) return undefined
  const size = database.shape.at(-2)!
  const of = `the database ${shortType(database.type)}`
  if (typeof valid === 'number') {
    if (!Number.isInteger(valid) || valid < 0 || valid > size) failIn('nearest', `valid is ${valid}, must be an integer from 0 to the ${size} rows of ${of}`)
    return valid === size ? undefined : { kind: 'count', tensor: fill(valid, tensorType('i32', [])) }
  }
  const leading = database.shape.slice(0, -2)
  const lead = (rank: number): readonly number[] => leading.slice(0, rank)
  if (valid.dtype === 'bool') {
    if (valid.rank < 1 || valid.rank > leading.length + 1 || !sameShape(valid.shape, [...lead(valid.rank - 1), size]))
      failIn('nearest', `valid ${shortType(valid.type)} must be bool over the rows of ${of}, with leading axes of its: ${choices('bool', leading, [size])}`)
    return { kind: 'mask', tensor: valid }
  }
  if (valid.dtype !== 'i32' || valid.rank > leading.length || !sameShape(valid.shape, lead(valid.rank)))
    failIn('nearest', `valid ${shortType(valid.type)} must be ${choices('bool', leading, [size])}, or as a count ${choices('i32', leading, [])}, for ${of}`)
  return { kind: 'count', tensor: valid }
}

const choices = (dtype: 'bool' | 'i32', leading: readonly number[], last: readonly number[]): string =>
  Array.from({ length: leading.length + 1 }, (_, rank) => shortType(tensorType(dtype, [...leading.slice(0, rank), ...last]))).join(' or ')

/** For every place infinity if a valid row stands there, else 0, for `rankingScores`: `[batch, n]` or `[batch, R, L]`; undefined if all are valid. */
export function rowLimit(valid: ValidRows | undefined, database: Tensor, layout: RowLayout): Tensor | undefined {
  const own = rowShape(layout)
  const padded = own.reduce((a, b) => a * b) !== layout.size
  if (!valid && !padded) return undefined
  const dtype = wideType(database.dtype)
  const leading = database.shape.slice(0, -2)
  const places = own.length === 1 ? iota(tensorType('i32', own), 0) : add(multiply(iota(tensorType('i32', own), 0), own[1]), iota(tensorType('i32', own), 1))
  const row = givenRow(places, layout)
  // Rows beyond the last are there to fill the view up.
  const real = padded ? compare(row, layout.size, 'LT') : undefined
  const known = valid?.kind === 'count' ? isBelow(userRow(row, layout), valid.tensor) : valid && viewMask(valid.tensor, layout)
  const shape = [...leading, ...own]
  // What is said of fewer axes than the database has holds for all of the others.
  const wide = (x: Tensor): Tensor => {
    const lead = x.rank - own.length
    return broadcastInDim(x, shape, [...x.shape.keys()].map((i) => (i < lead ? i : i - lead + leading.length)))
  }
  const masks = [known, real].filter((mask) => mask !== undefined).map(wide)
  const present = masks.length === 2 ? and(masks[0], masks[1]) : masks[0]
  return select(present, fill(Infinity, tensorType(dtype, shape)), zeros(tensorType(dtype, shape)))
}

/** Rows `i32[rows...]`, counts `i32[lead...]` -> `bool[lead..., rows...]`. */
function isBelow(row: Tensor, count: Tensor): Tensor {
  const shape = [...count.shape, ...row.shape]
  return compare(broadcastInDim(row, shape, row.shape.map((_, i) => count.rank + i)), broadcastInDim(count, shape, count.shape.map((_, i) => i)), 'LT')
}

/** What is said of the rows of a database before it was mixed by `mixRows`, as a mask of its rows as they are: `bool[..., n]`. */
export function mixedMask({ kind, tensor }: ValidRows, size: number): Tensor {
  const layout: RowLayout = { size, mixed: true, stirred: false, flat: false, bins: undefined }
  return kind === 'mask' ? viewMask(tensor, layout) : isBelow(userRow(iota(tensorType('i32', [size]), 0), layout), tensor)
}

/** A mask over the user's rows in the layout of the database: `bool[lead..., n]` -> `bool[lead..., rows...]`. */
function viewMask(mask: Tensor, layout: RowLayout): Tensor {
  if (layout.bins === undefined && !layout.mixed) return mask
  // As a database with rows of one number, so that it goes the same way as the rows.
  const numbers = expandDims(convert(mask, 'f32'), -1)
  return compare(squeeze(viewRows(layout.mixed ? mixRows(numbers) : numbers, layout), -1), 0.5, 'GT')
}
