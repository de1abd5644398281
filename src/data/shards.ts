import { createHash } from 'node:crypto'
import { closeSync, fstatSync, openSync, readFileSync, readSync, readdirSync, statSync } from 'node:fs'
import { mkdir, readdir, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { writeFileAtomic } from './atomic-file.ts'
import type { CorpusDocument } from './corpus.ts'
import { DataError, systemCode } from './errors.ts'
import {
  type IdBytes, type ShardManifest, SHARD_VERSION, blockBytes, blockHash, decodeManifest, decodeShardHeader, encodeIds,
  encodeManifest, encodeShardHeader, headerBytes, manifestName,
} from './shard-format.ts'
import { type TokenDocument, encodeDocument } from './token-documents.ts'
import type { TokenArray, Tokenizer } from './tokenizer.ts'
import { tokenizerFrom } from './tokenizers.ts'

export interface WriteShardsOptions {
  readonly tokenizer: Tokenizer
  /** A new shard begins when one has this many tokens; a document is never divided. */
  readonly shardTokens?: number
  /** Put the end-of-document id after each document (default true). */
  readonly end?: boolean
  readonly onProgress?: (done: number, total: number) => void
}

/**
 * Tokenizes documents into shards in `folder`, one document in memory at a time. The manifest is written last, so that a
 * folder without one is known to be unfinished. Throws `DataError` `DISK_FULL`, `FILE_UNWRITABLE`, or what reading throws.
 */
export async function writeShards(folder: string, documents: readonly CorpusDocument[], options: WriteShardsOptions): Promise<ShardManifest> {
  const { tokenizer, shardTokens = 2 ** 26, end = true, onProgress } = options
  const idBytes: IdBytes = tokenizer.vocabularySize <= 2 ** 8 ? 1 : tokenizer.vocabularySize <= 2 ** 16 ? 2 : 4
  await clearShards(folder)
  const shards: ShardManifest['shards'] = []
  const entries: ShardManifest['documents'] = []
  for (let next = 0; next < documents.length; ) {
    const file = `tokens-${String(shards.length).padStart(5, '0')}.bin`
    const hash = createHash('sha256')
    const blocks = new BlockHashes()
    let tokens = 0
    await writeFileAtomic(join(folder, file), async (writer) => {
      await writer.write(new Uint8Array(headerBytes))
      do {
        const document = documents[next++]
        const ids = encodeDocument(document, tokenizer, end)
        const bytes = encodeIds(ids, idBytes)
        await writer.write(bytes)
        hash.update(bytes)
        blocks.add(bytes)
        entries.push({ name: document.name, group: document.group, shard: shards.length, offset: tokens, tokens: ids.length, bytes: document.sizeBytes })
        tokens += ids.length
        onProgress?.(next, documents.length)
      } while (next < documents.length && tokens < shardTokens)
      await writer.patch(0, encodeShardHeader({ idBytes, tokens, hash: hash.copy().digest('hex') }))
    })
    shards.push({ file, tokens, hash: hash.digest('hex'), blocks: blocks.finish() })
  }
  const manifest: ShardManifest = {
    format: 'engram-token-shards', version: SHARD_VERSION, tokenizer: tokenizer.describe(), idBytes, blockBytes, shards, documents: entries,
  }
  const text = new TextEncoder().encode(encodeManifest(manifest))
  await writeFileAtomic(join(folder, manifestName), (writer) => writer.write(text))
  return manifest
}

/** Removes shards of an earlier writing: the manifest first, or an interrupted writing would look finished. */
async function clearShards(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true })
    const names = await readdir(folder)
    if (names.includes(manifestName)) await unlink(join(folder, manifestName))
    for (const name of names) if (/^\.?tokens-\d+\.bin(\.[0-9a-f]+\.tmp)?$/.test(name)) await unlink(join(folder, name))
  } catch (error) {
    throw new DataError(`cannot write shards to ${folder}: ${(error as Error).message}`, 'FILE_UNWRITABLE', { path: folder, cause: error })
  }
}

/** Hashes of fixed blocks of a byte stream that comes in pieces of any size. */
class BlockHashes {
  readonly #hashes: string[] = []
  readonly #open = new Uint8Array(blockBytes)
  #used = 0
  add(bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length; ) {
      const part = bytes.subarray(done, done + blockBytes - this.#used)
      this.#open.set(part, this.#used)
      this.#used += part.length
      done += part.length
      if (this.#used === blockBytes) this.#close()
    }
  }
  finish(): string[] {
    if (this.#used > 0) this.#close()
    return this.#hashes
  }
  #close(): void {
    this.#hashes.push(blockHash(this.#open.subarray(0, this.#used)))
    this.#used = 0
  }
}

/** A document in a shard: packs like one in memory, and still knows its group and its bytes for splits and statistics. */
export interface ShardDocument extends TokenDocument {
  readonly group: string
  readonly sizeBytes: number
}

/** Blocks that a reader keeps in memory: 16 MiB, enough for every slot to have its own. */
const cachedBlocks = 256

/**
 * Token shards opened for reading. Documents are read in ranges, block by block; each block is checked against the manifest
 * when it is read, and a few are kept. Close it when done.
 */
export class TokenShards {
  readonly folder: string
  readonly documents: readonly ShardDocument[]
  readonly tokenizer: Tokenizer
  readonly #manifest: ShardManifest
  readonly #files: readonly number[]
  /** Insertion order is the order of last use. */
  readonly #blocks = new Map<string, Uint8Array>()

  private constructor(folder: string, manifest: ShardManifest, files: readonly number[]) {
    this.folder = folder
    this.#manifest = manifest
    this.#files = files
    this.tokenizer = tokenizerFrom(manifest.tokenizer)
    this.documents = manifest.documents.map(({ name, group, shard, offset, tokens, bytes }) => ({
      name, group, sizeBytes: bytes, tokenCount: tokens, read: (start, end) => this.#read(shard, offset + start, offset + end),
    }))
  }

  /** Opens shards, checking manifest, headers and lengths. Throws `DataError`: `SHARD_INCOMPLETE`, `SHARD_CORRUPT`, `SHARD_VERSION`. */
  static open(folder: string): TokenShards {
    const manifest = decodeManifest(readManifest(folder), join(folder, manifestName))
    const files: number[] = []
    try {
      for (const shard of manifest.shards) {
        const path = join(folder, shard.file)
        files.push(openShard(path))
        const file = files[files.length - 1]
        const header = new Uint8Array(headerBytes)
        const got = readSync(file, header, 0, headerBytes, 0)
        const found = decodeShardHeader(header.subarray(0, got), fstatSync(file).size, path)
        if (found.idBytes !== manifest.idBytes || found.tokens !== shard.tokens || found.hash !== shard.hash)
          throw new DataError(`token shard ${path} is not the one that its manifest names (other length or hash)`, 'SHARD_CORRUPT', { path })
        if (shard.blocks.length !== Math.ceil((shard.tokens * manifest.idBytes) / manifest.blockBytes))
          throw new DataError(`shard manifest in ${folder}: ${shard.blocks.length} block hashes for ${shard.tokens} tokens of ${path}`, 'SHARD_CORRUPT', { path })
      }
      return new TokenShards(folder, manifest, files)
    } catch (error) {
      files.forEach(closeSync)
      throw error
    }
  }

  /** Reads everything once and checks it. Throws `DataError` `SHARD_CORRUPT`. */
  verify(): void {
    const { shards, idBytes, blockBytes: size } = this.#manifest
    for (const [i, shard] of shards.entries()) for (let block = 0; block * size < shard.tokens * idBytes; block++) this.#load(i, block)
  }

  close(): void {
    this.#files.forEach(closeSync)
    this.#blocks.clear()
  }

  /** Tokens `start` to `end` of a shard. */
  #read(shard: number, start: number, end: number): TokenArray {
    const { idBytes, blockBytes: size } = this.#manifest
    const from = start * idBytes
    const to = Math.max(from, end * idBytes)
    const bytes = new Uint8Array(to - from)
    for (let block = Math.floor(from / size); block * size < to; block++) {
      const content = this.#block(shard, block)
      const base = block * size
      const part = content.subarray(Math.max(0, from - base), Math.min(content.length, to - base))
      bytes.set(part, Math.max(base, from) - from)
    }
    return idBytes === 1 ? bytes : idBytes === 2 ? new Uint16Array(bytes.buffer) : new Uint32Array(bytes.buffer)
  }

  #block(shard: number, block: number): Uint8Array {
    const key = `${shard}/${block}`
    const known = this.#blocks.get(key)
    const content = known ?? this.#load(shard, block)
    this.#blocks.delete(key)
    this.#blocks.set(key, content)
    if (this.#blocks.size > cachedBlocks) this.#blocks.delete(this.#blocks.keys().next().value!)
    return content
  }

  #load(shard: number, block: number): Uint8Array {
    const { shards, idBytes, blockBytes: size } = this.#manifest
    const { file, tokens, blocks } = shards[shard]
    const path = join(this.folder, file)
    const content = new Uint8Array(Math.min(size, tokens * idBytes - block * size))
    for (let done = 0; done < content.length; ) {
      const got = readSync(this.#files[shard], content, done, content.length - done, headerBytes + block * size + done)
      if (got === 0) throw new DataError(`token shard ${path} has become shorter since it was opened`, 'SHARD_CORRUPT', { path })
      done += got
    }
    if (blockHash(content) !== blocks[block])
      throw new DataError(
        `token shard ${path} is damaged in bytes ${headerBytes + block * size} to ${headerBytes + block * size + content.length - 1} (checksum differs); write the shards again`,
        'SHARD_CORRUPT',
        { path },
      )
    return content
  }
}

/** Whether a path is a folder of token shards, or what an interrupted writing of them left: opening it then says so. */
export function hasShards(folder: string): boolean {
  const names = statSync(folder, { throwIfNoEntry: false })?.isDirectory() ? readdirSync(folder) : []
  return names.some((name) => /^\.?tokens-\d+\.bin/.test(name))
}

function readManifest(folder: string): string {
  const path = join(folder, manifestName)
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (systemCode(error) === 'ENOENT')
      throw new DataError(`no token shards in ${folder}: ${manifestName} is missing, so they were never written, or writing was interrupted; write them again`, 'SHARD_INCOMPLETE', { path: folder, cause: error })
    throw new DataError(`cannot read ${path}: ${(error as Error).message}`, 'FILE_UNREADABLE', { path, cause: error })
  }
}

function openShard(path: string): number {
  try {
    return openSync(path, 'r')
  } catch (error) {
    if (systemCode(error) === 'ENOENT') throw new DataError(`token shard ${path} is missing, though the manifest names it`, 'SHARD_INCOMPLETE', { path, cause: error })
    throw new DataError(`cannot read token shard ${path}: ${(error as Error).message}`, 'FILE_UNREADABLE', { path, cause: error })
  }
}
