import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire'
import { RunnerProtocolError } from './errors.ts'
import { PutDataSchema, PutSchema, type Reply, ReplySchema, type Request, RequestSchema } from './gen/runner_pb.ts'

/** Longer than any frame of a runner (arrays come in pieces); a longer one means that the stream is something else. */
const maxFrameBytes = 1 << 30
/** Data up to this size are left to the protobuf library. */
const handFramedBytes = 16 << 10
/** A buffer for frames that is not larger than this is used again. */
const keptFrameBytes = 4 << 20

/** A request without its id. */
export type RequestBody = Request['body']

/** The frame of a request, in parts: the size of the message, and the message. */
export function encodeRequest(id: bigint, body: RequestBody): Uint8Array[] {
  const data = body.case === 'put' || body.case === 'putData' ? body.value.data : undefined
  if (data !== undefined && data.byteLength > handFramedBytes) return encodeWithData(id, body, data)
  const message = toBinary(RequestSchema, create(RequestSchema, { id, body }))
  return [new BinaryWriter().uint32(message.byteLength).finish(), message]
}

/** The same, the array's bytes, the last of the message, put there by hand: the library would copy them several times. */
function encodeWithData(id: bigint, body: RequestBody, data: Uint8Array): Uint8Array[] {
  const inner = new BinaryWriter()
  if (body.case === 'put') inner.raw(toBinary(PutSchema, { ...body.value, data: new Uint8Array(0) }))
  const schema = body.case === 'put' ? PutSchema : PutDataSchema
  inner.tag(schema.field.data.number, WireType.LengthDelimited).uint32(data.byteLength)
  const innerBytes = inner.finish()
  const outer = new BinaryWriter()
    .raw(toBinary(RequestSchema, create(RequestSchema, { id })))
    .tag(RequestSchema.field[body.case as 'put' | 'putData'].number, WireType.LengthDelimited)
    .uint32(innerBytes.byteLength + data.byteLength)
    .raw(innerBytes)
    .finish()
  return [new BinaryWriter().uint32(outer.byteLength + data.byteLength).finish(), outer, data]
}

/**
 * Puts frames together from the pieces that a stream arrives in. The memory of a frame is used again for the next: bytes in a
 * reply have to be copied before the callback returns.
 */
export class FrameDecoder {
  readonly #onReply: (reply: Reply) => void
  #size = 0
  #shift = 0
  #frame: Uint8Array | undefined
  #store = new Uint8Array(64 << 10)
  #filled = 0

  constructor(onReply: (reply: Reply) => void) {
    this.#onReply = onReply
  }

  /** Whether the stream so far ends inside a frame. */
  get insideFrame(): boolean {
    return this.#frame !== undefined || this.#shift > 0
  }

  /** Takes the next piece of the stream. Throws `RunnerProtocolError` if it cannot be a reply. */
  push(piece: Uint8Array): void {
    let at = 0
    while (at < piece.byteLength) {
      if (this.#frame === undefined) {
        at = this.#readSize(piece, at)
        if (this.#frame === undefined) continue
      }
      const frame = this.#frame as Uint8Array
      const taken = Math.min(frame.byteLength - this.#filled, piece.byteLength - at)
      frame.set(piece.subarray(at, at + taken), this.#filled)
      this.#filled += taken
      at += taken
      if (this.#filled === frame.byteLength) {
        this.#frame = undefined
        this.#filled = 0
        this.#onReply(decodeReply(frame))
      }
    }
  }

  #readSize(piece: Uint8Array, from: number): number {
    for (let at = from; at < piece.byteLength; at++) {
      const byte = piece[at]
      this.#size += (byte & 0x7f) * 2 ** this.#shift
      this.#shift += 7
      if (byte >= 0x80 && this.#shift <= 35) continue
      const size = this.#size
      if (byte >= 0x80 || size > maxFrameBytes || size === 0) throw notTheProtocol(piece)
      this.#size = 0
      this.#shift = 0
      this.#frame = this.#room(size)
      return at + 1
    }
    return piece.byteLength
  }

  #room(size: number): Uint8Array {
    if (size > keptFrameBytes) return new Uint8Array(size)
    if (size > this.#store.byteLength) this.#store = new Uint8Array(Math.min(2 * size, keptFrameBytes))
    return this.#store.subarray(0, size)
  }
}

function decodeReply(frame: Uint8Array): Reply {
  let reply: Reply
  try {
    reply = fromBinary(ReplySchema, frame)
  } catch {
    throw notTheProtocol(frame)
  }
  if (reply.body.case === undefined) throw notTheProtocol(frame)
  return reply
}

function notTheProtocol(bytes: Uint8Array): RunnerProtocolError {
  const start = JSON.stringify(Buffer.from(bytes.subarray(0, 60)).toString('latin1'))
  return new RunnerProtocolError(
    `the runner's standard output is not the runner protocol, near ${start}; only the runner may write to it (a shell's greeting, for instance, may not)`,
  )
}
