import { createHash } from 'node:crypto'
import { z } from 'zod'
import { DataError, issueText } from './errors.ts'
import type { TokenArray } from './tokenizer.ts'

/**
 * The bytes of token shards. A shard is a header of 64 bytes and little-endian ids:
 *
 *     0  magic "ENGRTOKS"      16  number of tokens, u64
 *     8  version, u32          24  SHA-256 of the ids' bytes
 *    12  bytes per id, u32     56  first 8 bytes of the SHA-256 of bytes 0 to 55
 *
 * A manifest beside the shards says which document stands where, and has a short hash of every block of ids, so that a
 * reader can check the blocks it touches without reading the rest.
 */
export const SHARD_VERSION = 1
export const headerBytes = 64
/** Ids are checked and cached in blocks of so many bytes. */
export const blockBytes = 64 * 1024
export const manifestName = 'manifest.json'
const magic = new TextEncoder().encode('ENGRTOKS')

export type IdBytes = 1 | 2 | 4

export interface ShardHeader {
  readonly idBytes: IdBytes
  readonly tokens: number
  /** Hex. */
  readonly hash: string
}

const sha256 = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest()

/** The hash of one block as the manifest has it. */
export const blockHash = (bytes: Uint8Array): string => sha256(bytes).toString('hex', 0, 8)

export function encodeShardHeader({ idBytes, tokens, hash }: ShardHeader): Uint8Array {
  const bytes = new Uint8Array(headerBytes)
  const view = new DataView(bytes.buffer)
  bytes.set(magic)
  view.setUint32(8, SHARD_VERSION, true)
  view.setUint32(12, idBytes, true)
  view.setBigUint64(16, BigInt(tokens), true)
  bytes.set(Buffer.from(hash, 'hex'), 24)
  bytes.set(sha256(bytes.subarray(0, 56)).subarray(0, 8), 56)
  return bytes
}

/** The header of a shard of `fileBytes` bytes. Throws `DataError` `SHARD_CORRUPT` or `SHARD_VERSION`. */
export function decodeShardHeader(bytes: Uint8Array, fileBytes: number, path: string): ShardHeader {
  const corrupt = (what: string): DataError => new DataError(`token shard ${path}: ${what}`, 'SHARD_CORRUPT', { path })
  if (bytes.length < headerBytes) throw corrupt(`cut short: ${fileBytes} bytes, its header alone has ${headerBytes}`)
  if (!magic.every((byte, i) => bytes[i] === byte)) throw corrupt('not a token shard (its first bytes are not ENGRTOKS)')
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  const intact = sha256(bytes.subarray(0, 56)).subarray(0, 8).equals(bytes.subarray(56, headerBytes))
  const version = view.getUint32(8, true)
  if (version !== SHARD_VERSION)
    throw new DataError(`token shard ${path} has format version ${version}, this program reads version ${SHARD_VERSION}; write the shards again`, 'SHARD_VERSION', { path })
  if (!intact) throw corrupt('its header is damaged (checksum differs)')
  const idBytes = view.getUint32(12, true)
  if (idBytes !== 1 && idBytes !== 2 && idBytes !== 4) throw corrupt(`ids of ${idBytes} bytes, expected 1, 2 or 4`)
  const tokens = Number(view.getBigUint64(16, true))
  const expected = headerBytes + tokens * idBytes
  if (fileBytes !== expected) throw corrupt(`${fileBytes < expected ? 'cut short' : 'too long'}: ${fileBytes} bytes, expected ${expected}`)
  return { idBytes, tokens, hash: Buffer.from(bytes.subarray(24, 56)).toString('hex') }
}

/** Little-endian bytes of ids at a given width. */
export function encodeIds(ids: TokenArray, idBytes: IdBytes): Uint8Array {
  const View = idBytes === 1 ? Uint8Array : idBytes === 2 ? Uint16Array : Uint32Array
  const wide = ids.BYTES_PER_ELEMENT === idBytes ? ids : View.from(ids)
  return new Uint8Array(wide.buffer, wide.byteOffset, wide.byteLength)
}

const count = z.int().nonnegative()
const manifestSchema = z.strictObject({
  format: z.literal('engram-token-shards'),
  version: z.literal(SHARD_VERSION),
  tokenizer: z.looseObject({ kind: z.string(), vocabularySize: z.int().positive() }),
  idBytes: z.union([z.literal(1), z.literal(2), z.literal(4)]),
  blockBytes: z.int().min(4).multipleOf(4),
  shards: z.array(z.strictObject({ file: z.string().regex(/^tokens-\d+\.bin$/), tokens: count, hash: z.string(), blocks: z.array(z.string()) })),
  documents: z.array(
    z.strictObject({
      name: z.string(),
      group: z.string(),
      shard: count,
      /** First token in the shard. */
      offset: count,
      tokens: count,
      /** Bytes of the text. */
      bytes: count,
    }),
  ),
})
export type ShardManifest = z.infer<typeof manifestSchema>

const hashOf = (manifest: unknown): string => createHash('sha256').update(JSON.stringify(manifest)).digest('hex')

/** The manifest as text, with a hash of itself. */
export const encodeManifest = (manifest: ShardManifest): string => JSON.stringify({ ...manifest, hash: hashOf(manifest) })

/** The checked manifest. Throws `DataError` `SHARD_CORRUPT` or `SHARD_VERSION`. */
export function decodeManifest(text: string, path: string): ShardManifest {
  const corrupt = (what: string): DataError => new DataError(`shard manifest ${path}: ${what}`, 'SHARD_CORRUPT', { path })
  let raw: unknown
  try {
    raw = JSON.parse(text)
  } catch (error) {
    throw corrupt(`not JSON, perhaps cut short (${(error as Error).message})`)
  }
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) throw corrupt('not a JSON object')
  const { hash, ...body } = raw as Record<string, unknown>
  const intact = hash === hashOf(body)
  if (intact && body.version !== SHARD_VERSION)
    throw new DataError(`shard manifest ${path} has format version ${body.version}, this program reads version ${SHARD_VERSION}; write the shards again`, 'SHARD_VERSION', { path })
  if (!intact) throw corrupt('it is damaged (its checksum differs)')
  const parsed = manifestSchema.safeParse(body)
  if (!parsed.success) throw corrupt(issueText(parsed.error))
  for (const { name, shard, offset, tokens } of parsed.data.documents)
    if (offset + tokens > (parsed.data.shards[shard]?.tokens ?? -1)) throw corrupt(`document '${name}' lies outside its shard`)
  return parsed.data
}
