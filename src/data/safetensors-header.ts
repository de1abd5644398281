import { z } from 'zod'
import { type DType, elementBytes } from '../ir/dtypes.ts'
import { type TensorType, elementCount, shortType, sizeBytes, tensorType } from '../ir/types.ts'
import { DataError, issueText } from './errors.ts'
import { byCodeUnits } from './random.ts'

/** The format's names of element types, in the order it lists them. Source: safetensors 0.8, `Dtype`. */
const formatNames: Readonly<Record<string, DType>> = {
  BOOL: 'bool',
  U8: 'u8',
  I8: 'i8',
  F8_E5M2: 'f8E5M2',
  F8_E4M3: 'f8E4M3FN',
  F8_E8M0: 'f8E8M0FNU',
  F8_E4M3FNUZ: 'f8E4M3FNUZ',
  F8_E5M2FNUZ: 'f8E5M2FNUZ',
  I16: 'i16',
  U16: 'u16',
  F16: 'f16',
  BF16: 'bf16',
  I32: 'i32',
  U32: 'u32',
  F32: 'f32',
  C64: 'c64',
  F64: 'f64',
  I64: 'i64',
  U64: 'u64',
}
const nameOf = new Map<DType, string>(Object.entries(formatNames).map(([name, dtype]) => [dtype, name]))
/** Types that the format packs into parts of bytes, and host arrays do not. */
const packedNames = new Set(['F4', 'F6_E2M3', 'F6_E3M2'])

/** The format refuses larger headers, so that a damaged length does not become a huge allocation. */
export const maxHeaderBytes = 100_000_000

/** Where a tensor stands in the file. */
export interface TensorEntry {
  readonly type: TensorType
  /** Bytes from the beginning of the file. */
  readonly begin: number
  readonly end: number
}

export interface SafetensorsHeader {
  readonly tensors: ReadonlyMap<string, TensorEntry>
  readonly metadata: Readonly<Record<string, string>>
}

const size = z.int().nonnegative()
const tensorSchema = z.strictObject({ dtype: z.string(), shape: z.array(size), data_offsets: z.tuple([size, size]) })
const metadataSchema = z.record(z.string(), z.string())
const METADATA = '__metadata__'

/**
 * The header of a file with these tensors, length word and padding included, and the order in which their bytes follow: widest
 * elements first, then by name, so that every tensor is aligned and the same tensors give the same file.
 */
export function encodeHeader(
  types: ReadonlyMap<string, TensorType>,
  metadata: Readonly<Record<string, string>>,
  path: string,
): { bytes: Uint8Array; order: string[] } {
  const order = [...types.keys()].sort((a, b) => elementBytes(types.get(b)!.dtype) - elementBytes(types.get(a)!.dtype) || byCodeUnits(a, b))
  const header: [string, unknown][] = Object.keys(metadata).length > 0 ? [[METADATA, metadata]] : []
  let offset = 0
  for (const name of order) {
    const type = types.get(name)!
    const dtype = nameOf.get(type.dtype)
    if (name === METADATA) throw new DataError(`a tensor cannot be named ${METADATA}: safetensors keeps that name for itself`, 'SAFETENSORS_NAME', { path })
    if (!dtype || type.quantization || elementCount(type.shape) < 0)
      throw new DataError(`cannot write tensor '${name}' to ${path}: safetensors has no type for ${shortType(type)}; it has ${[...nameOf.keys()].join(', ')}`, 'SAFETENSORS_DTYPE', { path })
    const end = offset + sizeBytes(type)
    header.push([name, { dtype, shape: type.shape, data_offsets: [offset, end] }])
    offset = end
  }
  // Names are data, so the text is put together by hand: as keys of an object, `1` would come first and `__proto__` be lost.
  const json = new TextEncoder().encode(`{${header.map(([name, entry]) => `${JSON.stringify(name)}:${JSON.stringify(entry)}`).join(',')}}`)
  const length = Math.ceil(json.length / 8) * 8
  if (length > maxHeaderBytes)
    throw new DataError(`cannot write ${path}: a header of ${length} bytes is over the format's limit of ${maxHeaderBytes}`, 'SAFETENSORS_NAME', { path })
  const bytes = new Uint8Array(8 + length).fill(0x20)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(length), true)
  bytes.set(json, 8)
  return { bytes, order }
}

/**
 * The header from its JSON bytes, checked: types known, sizes right, tensors without overlap or gap from the header's end to
 * the file's. Throws `DataError` naming the file and what was expected.
 */
export function decodeHeader(json: Uint8Array, fileBytes: number, path: string): SafetensorsHeader {
  const corrupt = (what: string): DataError => new DataError(`${path} is not a sound safetensors file: ${what}`, 'SAFETENSORS_CORRUPT', { path })
  let raw: unknown
  try {
    raw = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(json))
  } catch (error) {
    throw corrupt(`its header is not JSON (${(error as Error).message})`)
  }
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) throw corrupt('its header is not a JSON object')
  const dataStart = 8 + json.length
  const dataBytes = fileBytes - dataStart
  let metadata: Record<string, string> = {}
  const tensors = new Map<string, TensorEntry>()
  for (const [name, value] of Object.entries(raw)) {
    if (name === METADATA) {
      const parsed = metadataSchema.safeParse(value)
      if (!parsed.success) throw corrupt(`${METADATA} should map names to texts (${issueText(parsed.error)})`)
      // Not zod's copy, which leaves out the key `__proto__`.
      metadata = value as Record<string, string>
      if (Object.values(metadata).some((text) => typeof text !== 'string')) throw corrupt(`${METADATA} should map names to texts`)
      continue
    }
    const parsed = tensorSchema.safeParse(value)
    if (!parsed.success) throw corrupt(`tensor '${name}': ${issueText(parsed.error)}`)
    const { dtype, shape, data_offsets } = parsed.data
    if (packedNames.has(dtype))
      throw new DataError(`${path}: tensor '${name}' has the packed type ${dtype}, which is not supported`, 'SAFETENSORS_DTYPE', { path })
    if (!Object.hasOwn(formatNames, dtype)) throw corrupt(`tensor '${name}' has the unknown type ${dtype}`)
    const type = tensorType(formatNames[dtype], shape)
    const [from, to] = data_offsets
    if (to - from !== sizeBytes(type))
      throw corrupt(`tensor '${name}' is ${shortType(type)}, ${sizeBytes(type)} bytes, but its data_offsets [${from}, ${to}] hold ${to - from}`)
    tensors.set(name, { type, begin: dataStart + from, end: dataStart + to })
  }
  let reached = dataStart
  let last = 'the header'
  for (const [name, { begin, end }] of [...tensors].sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end)) {
    if (begin < reached) throw corrupt(`tensor '${name}' overlaps ${last}: it begins at byte ${begin - dataStart}, expected ${reached - dataStart}`)
    if (begin > reached) throw corrupt(`${begin - reached} bytes between ${last} and tensor '${name}' belong to no tensor`)
    reached = end
    last = `tensor '${name}'`
  }
  const expected = reached - dataStart
  if (expected > dataBytes)
    throw new DataError(`${path} is cut short: its tensors need ${expected} bytes, but only ${dataBytes} follow the header`, 'SAFETENSORS_TRUNCATED', { path })
  if (expected < dataBytes) throw corrupt(`${dataBytes - expected} bytes after the last tensor belong to none`)
  return { tensors, metadata }
}
