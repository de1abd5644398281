import type { FileHandle } from 'node:fs/promises'
import { type DType, elementBytes } from '../ir/dtypes.ts'
import { HostArray } from '../ir/host-array.ts'
import { type TensorType, shortType, tensorType } from '../ir/types.ts'
import { readFully } from './atomic-file.ts'
import { DataError } from './errors.ts'
import { openVecs, vecsEnding } from './fvecs.ts'
import { openNpy } from './npy.ts'
import { SafetensorsFile } from './safetensors.ts'
import { datasetVectors, parseDataset } from './vector-datasets.ts'

/** Vectors from outside, row by row: of `.npy`, `.fvecs`, `.bvecs` and `.ivecs` files, of tensors in `.safetensors` files, and generated ones. */
export interface VectorSource {
  /** As the user named it, for messages. */
  readonly name: string
  readonly rows: number
  /** Components of a vector. */
  readonly size: number
  readonly dtype: DType
  /** `count` rows from row `first` on, all of which must be there. -> `[count, size]` */
  read(first: number, count: number): Promise<HostArray>
  close(): Promise<void>
}

export interface VectorOptions {
  /** Draws what is generated. */
  readonly seed?: number
  /** Which of a generated data set's two samples: they share its structure (centres, directions) and no vector. */
  readonly part?: 'database' | 'queries'
}

/** The element types that vectors can have; all are searched as f32 or bf16. */
const vectorTypes: readonly DType[] = ['f32', 'bf16', 'f16', 'f64', 'i8', 'u8', 'i16', 'u16', 'i32']

const wanted = 'FILE.npy, FILE.fvecs, FILE.bvecs, FILE.safetensors#TENSOR, or a generated set such as gaussian:65536x128'

/**
 * Opens the vectors that a reference names: `base.fvecs`, `base.npy`, `model.safetensors#layer.keys`, `gaussian:65536x128`. Close them when
 * done. Throws `DataError`: `FILE_MISSING`, `VECTORS_FORMAT`, `VECTORS_EMPTY`, `VECTORS_SHAPE`, `VECTORS_TRUNCATED`, and what the formats throw.
 */
export async function openVectors(reference: string, { seed = 0, part = 'database' }: VectorOptions = {}): Promise<VectorSource> {
  const dataset = parseDataset(reference)
  if (dataset) return datasetVectors(dataset, seed, part)
  if (vecsEnding(reference)) return openVecs(reference)
  const [path, tensor] = splitReference(reference)
  if (path.endsWith('.safetensors')) return openTensor(path, tensor, reference)
  if (!path.endsWith('.npy') || tensor !== undefined) throw new DataError(`${reference}: vectors are named as ${wanted}`, 'VECTORS_FORMAT', { path: reference })
  const { file, type, begin } = await openNpy(path)
  return rowsOf(file, reference, type, begin)
}

/** File and tensor of `file.safetensors#tensor`. */
function splitReference(reference: string): [path: string, tensor: string | undefined] {
  const at = reference.indexOf('.safetensors#')
  return at < 0 ? [reference, undefined] : [reference.slice(0, at + 12), reference.slice(at + 13)]
}

async function openTensor(path: string, tensor: string | undefined, reference: string): Promise<VectorSource> {
  const file = await SafetensorsFile.open(path)
  try {
    const names = [...file.tensors.keys()]
    if (tensor === undefined && names.length !== 1)
      throw new DataError(`${path} has ${names.length} tensors, say which: ${path}#${names[0] ?? 'NAME'} (it has ${names.slice(0, 8).join(', ') || 'none'})`, 'SAFETENSORS_NAME', { path })
    const { type, begin } = file.entry(tensor ?? names[0])
    return rowsOf(file.file, reference, type, begin)
  } catch (error) {
    await file.close()
    throw error
  }
}

/** Rows that stand one after another in a file. Closes the file if it holds no vectors. */
async function rowsOf(file: FileHandle, name: string, type: TensorType, begin: number): Promise<VectorSource> {
  try {
    const [rows, size] = type.shape
    if (type.shape.length !== 2) throw new DataError(`${name} is ${shortType(type)}, expected vectors [rows, components]`, 'VECTORS_SHAPE', { path: name })
    checkVectorType(name, type.dtype)
    if (rows === 0 || size === 0) throw new DataError(`${name} is ${shortType(type)}: it holds no vectors`, 'VECTORS_EMPTY', { path: name })
    const rowBytes = size * elementBytes(type.dtype)
    return {
      name,
      rows,
      size,
      dtype: type.dtype,
      read: async (first, count) => {
        const bytes = await readFully(file, begin + first * rowBytes, count * rowBytes)
        if (bytes.length < count * rowBytes)
          throw new DataError(`${name} is cut short: row ${first + Math.floor(bytes.length / rowBytes)} is not whole`, 'VECTORS_TRUNCATED', { path: name })
        return HostArray.fromBytes(tensorType(type.dtype, [count, size]), bytes)
      },
      close: () => file.close(),
    }
  } catch (error) {
    await file.close()
    throw error
  }
}

function checkVectorType(name: string, dtype: DType): void {
  if (!vectorTypes.includes(dtype)) throw new DataError(`${name} has elements of type ${dtype}, vectors can have ${vectorTypes.join(', ')}`, 'VECTORS_FORMAT', { path: name })
}

/**
 * Rows as f32, all finite. -> `f32[count, size]`. Throws `DataError` `VECTORS_VALUE`, naming row and component of the first that is not
 * finite, or is too large for f32.
 */
export async function readFiniteRows(source: VectorSource, first: number, count: number): Promise<Float32Array> {
  const { data } = await source.read(first, count)
  const values = data instanceof Float32Array ? data : Float32Array.from(data as ArrayLike<number>)
  for (let i = 0; i < values.length; i++)
    if (!Number.isFinite(values[i])) {
      const [row, component] = [first + Math.floor(i / source.size), i % source.size]
      const what = Number.isFinite(Number(data[i])) ? `${data[i]}, too large for f32` : String(values[i])
      throw new DataError(`${source.name}: row ${row}, component ${component} is ${what}; vectors must be finite`, 'VECTORS_VALUE', { path: source.name })
    }
  return values
}
