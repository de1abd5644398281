import { HostArray } from '../ir/host-array.ts'
import { tensorType } from '../ir/types.ts'
import { DataError } from './errors.ts'
import { SeededRandom } from './random.ts'
import type { VectorSource } from './vectors.ts'

/**
 * Generated vectors, of which the order and the structure are the point: a partial reduction loses entries that share a bin, so it is tried on data
 * where near ones stand together, or at one distance from each other. The same name, seed and part give the same vectors everywhere.
 */
export const datasetKinds = ['gaussian', 'clustered', 'duplicated', 'sorted', 'periodic'] as const
export type DatasetKind = (typeof datasetKinds)[number]

export interface Dataset {
  readonly kind: DatasetKind
  readonly rows: number
  readonly size: number
}

const maxElements = 2 ** 31

/** The set that `KIND:ROWSxSIZE` names; undefined if the text is no such name. Throws `DataError` `VECTORS_FORMAT` for sizes that cannot be. */
export function parseDataset(text: string): Dataset | undefined {
  const found = /^([a-z]+):(.*)$/.exec(text)
  if (!found) return undefined
  const kind = datasetKinds.find((name) => name === found[1])
  if (!kind) throw new DataError(`${text}: there is no generated set '${found[1]}', there are ${datasetKinds.join(', ')}`, 'VECTORS_FORMAT')
  const sizes = /^(\d+)x(\d+)$/.exec(found[2])
  if (!sizes) throw new DataError(`${text}: expected rows and components, e.g. ${kind}:65536x128`, 'VECTORS_FORMAT')
  const [rows, size] = [Number(sizes[1]), Number(sizes[2])]
  if (rows < 1 || size < 1) throw new DataError(`${text}: it holds no vectors`, 'VECTORS_EMPTY')
  if (rows * size > maxElements) throw new DataError(`${text}: ${rows * size} numbers are more than the ${maxElements} that can be generated`, 'VECTORS_FORMAT')
  return { kind, rows, size }
}

/** How many different places a set has: clusters, or rows until the periodic set comes round. */
const clusters = 100
const period = 1024
/** How often each vector of `duplicated` is there, on average. */
const copies = 8
/** Spread of a vector around the place it belongs to; places are a standard normal distribution. */
const spread = 0.2

/** The vectors of a set. `part` is one of its two samples. */
export function datasetVectors(dataset: Dataset, seed: number, part: 'database' | 'queries'): VectorSource {
  const { kind, rows, size } = dataset
  const values = generators[kind](rows, size, normals(kind, size, seed, 'structure'), normals(kind, size, seed, part), part)
  return {
    name: `${kind}:${rows}x${size}`,
    rows,
    size,
    dtype: 'f32',
    read: async (first, count) => new HostArray(tensorType('f32', [count, size]), values.slice(first * size, (first + count) * size)),
    close: async () => {},
  }
}

/** Standard normal numbers, and whole ones. */
interface Draw {
  (): number
  below(limit: number): number
}

/** Source: Box and Muller 1958, "A note on the generation of random normal deviates". */
function normals(...keys: readonly (string | number)[]): Draw {
  const random = new SeededRandom('vectors', ...keys)
  let spare: number | undefined
  const draw = (): number => {
    if (spare !== undefined) {
      const value = spare
      spare = undefined
      return value
    }
    const radius = Math.sqrt(-2 * Math.log((random.uint32() + 1) / 2 ** 32))
    const angle = (2 * Math.PI * random.uint32()) / 2 ** 32
    spare = radius * Math.sin(angle)
    return radius * Math.cos(angle)
  }
  return Object.assign(draw, { below: (limit: number) => random.below(limit) })
}

type Generator = (rows: number, size: number, structure: Draw, draw: Draw, part: 'database' | 'queries') => Float32Array

const gaussian = (rows: number, size: number, draw: Draw): Float32Array => Float32Array.from({ length: rows * size }, draw)

/** Every row near one of a few places. */
const around = (places: Float32Array, placeOf: (row: number) => number, rows: number, size: number, draw: Draw, width: number): Float32Array => {
  const values = new Float32Array(rows * size)
  for (let row = 0; row < rows; row++) {
    const from = placeOf(row) * size
    for (let i = 0; i < size; i++) values[row * size + i] = places[from + i] + width * draw()
  }
  return values
}

const generators: Readonly<Record<DatasetKind, Generator>> = {
  gaussian: (rows, size, _structure, draw) => gaussian(rows, size, draw),
  clustered: (rows, size, structure, draw) => around(gaussian(clusters, size, structure), () => draw.below(clusters), rows, size, draw, spread),
  // Exact copies, so that ties are everywhere; queries are fresh vectors.
  duplicated: (rows, size, _structure, draw, part) => {
    if (part === 'queries') return gaussian(rows, size, draw)
    const different = Math.max(1, Math.floor(rows / copies))
    return around(gaussian(different, size, draw), (row) => (row < different ? row : draw.below(different)), rows, size, draw, 0)
  },
  // Rows in the order of their product with one direction, near which all queries are: the best rows are neighbours in the order too.
  sorted: (rows, size, structure, draw, part) => {
    const direction = gaussian(1, size, structure)
    if (part === 'queries') return around(direction, () => 0, rows, size, draw, spread)
    const values = gaussian(rows, size, draw)
    const products = Float64Array.from({ length: rows }, (_, row) => direction.reduce((sum, d, i) => sum + d * values[row * size + i], 0))
    const order = Array.from(products.keys()).sort((a, b) => products[a] - products[b])
    const sorted = new Float32Array(rows * size)
    order.forEach((row, to) => sorted.set(values.subarray(row * size, (row + 1) * size), to * size))
    return sorted
  },
  // The rows that are near a query stand exactly `period` rows apart: bins by the remainder of the row would have them all.
  periodic: (rows, size, structure, draw, part) =>
    around(gaussian(period, size, structure), (row) => (part === 'queries' ? draw.below(period) : row % period), rows, size, draw, spread),
}
