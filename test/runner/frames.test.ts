import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { RunnerProtocolError } from '../../src/runner/errors.ts'
import { FrameDecoder, encodeRequest } from '../../src/runner/frames.ts'
import { type Reply, ReplySchema, RequestSchema } from '../../src/runner/gen/runner_pb.ts'

/** The frame of a reply, made by the library alone. */
function frame(id: bigint, data: Uint8Array): Buffer {
  const message = toBinary(
    ReplySchema,
    create(ReplySchema, { id, body: { case: 'get', value: { $typeName: 'engram.v1.GetReply', totalBytes: BigInt(data.length), data } } }),
  )
  const size: number[] = []
  let rest = message.length
  for (; rest >= 128; rest >>= 7) size.push((rest & 127) | 128)
  return Buffer.concat([Buffer.from([...size, rest]), message])
}

const dataOf = (reply: Reply): Uint8Array => (reply.body.case === 'get' ? reply.body.value.data.slice() : new Uint8Array())

describe('FrameDecoder', () => {
  it('gives the same replies however the stream is cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 400 }), { minLength: 1, maxLength: 6 }),
        fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1 }),
        (contents, cuts) => {
          const stream = Buffer.concat(contents.map((data, i) => frame(BigInt(i + 1), data)))
          const found: { id: bigint; data: Uint8Array }[] = []
          const decoder = new FrameDecoder((reply) => found.push({ id: reply.id, data: dataOf(reply) }))
          for (let at = 0, i = 0; at < stream.length; i++) {
            const size = cuts[i % cuts.length]
            decoder.push(stream.subarray(at, at + size))
            at += size
          }
          expect(found).toEqual(contents.map((data, i) => ({ id: BigInt(i + 1), data })))
        },
      ),
    )
  })

  it('refuses a stream that is something else', () => {
    const decoder = new FrameDecoder(() => {})
    const greeting = 'Welcome to Debian GNU/Linux 12\nLast login: Tue Nov 24 05:18:09 from somewhere that has a long name\n'
    expect(() => decoder.push(Buffer.from(greeting))).toThrowErrorMatchingInlineSnapshot(
      `[RunnerProtocolError: the runner's standard output is not the runner protocol, near "elcome to Debian GNU/Linux 12\\nLast login: Tue Nov 24 05:18:0"; only the runner may write to it (a shell's greeting, for instance, may not)]`,
    )
  })

  it('refuses a frame larger than any a runner sends, and an empty one', () => {
    expect(() => new FrameDecoder(() => {}).push(Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x7f))).toThrow(RunnerProtocolError)
    expect(() => new FrameDecoder(() => {}).push(Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01))).toThrow(RunnerProtocolError)
    expect(() => new FrameDecoder(() => {}).push(Uint8Array.of(0))).toThrow(RunnerProtocolError)
  })
})

describe('encodeRequest', () => {
  it.each([10, 20_000, 1 << 20])('frames %i bytes so that the library reads them back', (size) => {
    const data = Uint8Array.from({ length: size }, (_, i) => i % 251)
    const type = { $typeName: 'engram.v1.ArrayType' as const, dtype: 'u8', dims: [BigInt(size)] }
    const put = { case: 'put' as const, value: { $typeName: 'engram.v1.Put' as const, buffer: 7n, type, totalBytes: BigInt(size), data } }
    const putData = { case: 'putData' as const, value: { $typeName: 'engram.v1.PutData' as const, data } }
    for (const body of [put, putData]) {
      const [head, ...message] = encodeRequest(300n, body)
      const whole = Buffer.concat([head, ...message])
      const skip = whole.findIndex((byte) => byte < 0x80) + 1
      const request = fromBinary(RequestSchema, whole.subarray(skip))
      expect(request.id).toBe(300n)
      expect(request.body).toEqual({ case: body.case, value: { ...body.value, data: expect.anything() } })
      expect(Buffer.compare((request.body.value as { data: Uint8Array }).data, data)).toBe(0)
    }
  })
})
