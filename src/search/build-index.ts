import { DataError } from '../data/errors.ts'
import { SeededRandom } from '../data/random.ts'
import { type VectorSource, readFiniteRows } from '../data/vectors.ts'
import { roundFloat } from '../ir/float-bits.ts'
import { HostArray } from '../ir/host-array.ts'
import { tensorType } from '../ir/types.ts'
import type { Distance } from '../knn/score.ts'
import type { VectorIndex } from './index-file.ts'

export interface BuildOptions {
  readonly distance: Distance
  /** What the vectors are kept and multiplied as; f32 by default. bf16 squares memory and time, and makes near ties random. */
  readonly dtype?: 'f32' | 'bf16'
  /**
   * Keeps the rows in a random order drawn from this seed, so that no order of the source can bring neighbours into one bin; 0 by default. Null
   * keeps the source's order.
   */
  readonly shuffleSeed?: number | null
  /** Told after every part how many rows are done. */
  readonly onProgress?: (rows: number) => void
  readonly signal?: AbortSignal
}

/** Read at once: enough for the disk, few enough to be told of progress and to be stopped. */
const partBytes = 4 << 20

/**
 * Reads, checks and prepares all vectors of a source: in f32, of length 1 for `cosine`. A vector of length 0
 * has no direction and stays 0, so that its cosine with all others is 0. Throws `DataError` for what is not finite, naming row and component.
 */
export async function buildIndex(source: VectorSource, { distance, dtype = 'f32', shuffleSeed = 0, onProgress, signal }: BuildOptions): Promise<VectorIndex> {
  const { rows, size } = source
  const inOrder = Int32Array.from({ length: rows }, (_, row) => row)
  const sourceRows = shuffleSeed === null ? undefined : new SeededRandom('index order', shuffleSeed, rows).shuffle(inOrder)
  const placeOf = sourceRows && inverse(sourceRows)
  const values = allocateRows(source)
  const step = Math.max(1, Math.floor(partBytes / (4 * size)))
  for (let first = 0; first < rows; first += step) {
    signal?.throwIfAborted()
    const count = Math.min(step, rows - first)
    const part = await readFiniteRows(source, first, count)
    if (distance === 'cosine') normaliseRows(part, size)
    if (placeOf) for (let i = 0; i < count; i++) values.set(part.subarray(i * size, (i + 1) * size), placeOf[first + i] * size)
    else values.set(part, first * size)
    onProgress?.(first + count)
  }
  const vectors = rowsAs(dtype, values, size)
  if (distance === 'l2') checkSquares(vectors, source.name, sourceRows)
  return {
    rows,
    size,
    distance,
    dtype,
    source: source.name,
    vectors,
    ...(sourceRows ? { shuffleSeed: shuffleSeed!, sourceRows: new HostArray(tensorType('i32', [rows]), sourceRows) } : {}),
  }
}

function allocateRows({ name, rows, size }: VectorSource): Float32Array {
  try {
    return new Float32Array(rows * size)
  } catch (error) {
    throw new DataError(`${name}: no memory for ${rows} rows of ${size} (${((4 * rows * size) / 1e9).toFixed(1)} GB)`, 'VECTORS_SHAPE', { path: name, cause: error })
  }
}

function inverse(order: Int32Array): Int32Array {
  const places = new Int32Array(order.length)
  order.forEach((row, place) => (places[row] = place))
  return places
}

/** Rows in an element type; rounds `values` in place. `f32[n*d]` -> `[n,d]` */
export function rowsAs(dtype: 'f32' | 'bf16', values: Float32Array, size: number): HostArray {
  if (dtype !== 'f32') for (let i = 0; i < values.length; i++) values[i] = roundFloat(dtype, values[i])
  return new HostArray(tensorType(dtype, [values.length / size, size]), values)
}

/** Divides each row by its length, in place; a row of zeros stays. */
export function normaliseRows(rows: Float32Array, size: number): void {
  for (let start = 0; start < rows.length; start += size) {
    // Scaled first, so that neither large nor small numbers leave the range on being squared.
    let largest = 0
    for (let i = start; i < start + size; i++) largest = Math.max(largest, Math.abs(rows[i]))
    if (largest === 0) continue
    let sum = 0
    for (let i = start; i < start + size; i++) sum += (rows[i] / largest) ** 2
    const length = Math.sqrt(sum)
    for (let i = start; i < start + size; i++) rows[i] = rows[i] / largest / length
  }
}

/** The search adds squared lengths to products: throws `DataError` `VECTORS_VALUE` for a row whose is too large for f32. */
function checkSquares(vectors: HostArray, name: string, sourceRows: Int32Array | undefined): void {
  const [rows, size] = vectors.shape
  const values = vectors.data as Float32Array
  for (let row = 0; row < rows; row++) {
    let sum = 0
    for (let i = row * size; i < (row + 1) * size; i++) sum += values[i] * values[i]
    if (!Number.isFinite(Math.fround(sum)))
      throw new DataError(
        `${name}: row ${sourceRows?.[row] ?? row} has a squared length of ${sum.toExponential(2)}, too large for f32; scale the vectors for l2`,
        'VECTORS_VALUE',
        { path: name },
      )
  }
}
