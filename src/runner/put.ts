import type { HostArray } from '../ir/host-array.ts'
import type { Location } from '../ir/location.ts'
import { DYNAMIC, shortType } from '../ir/types.ts'
import { type Origin, RemoteBuffer, typeToWire } from './buffer.ts'
import type { Connection } from './connection.ts'
import { RunnerArgumentError } from './errors.ts'

/** Arrays travel in pieces of this size: small enough for a processor's cache and for other requests to fit in between. */
const chunkBytes = 1 << 20

/** Types that a program may mention and XLA cannot hold in a buffer. */
export const unheldTypes: ReadonlySet<string> = new Set(['f6E2M3FN', 'f6E3M2FN', 'index'])

/** Sends an array to the device. Its bytes are copied at once, so it may change afterwards. */
export function putArray(connection: Connection, array: HostArray, callSite?: Location): RemoteBuffer {
  if (unheldTypes.has(array.dtype) || array.shape.includes(DYNAMIC))
    throw new RunnerArgumentError(`XLA cannot hold an array ${shortType(array.type)}`, callSite)
  const bytes = array.toBytes()
  // Narrow floats have just been encoded into memory of their own.
  const piece = bytes.buffer === array.data.buffer ? (at: number) => bytes.slice(at, at + chunkBytes) : (at: number) => bytes.subarray(at, at + chunkBytes)
  const buffer = connection.allocate()
  const subject = `the transfer of ${shortType(array.type)} to the device`
  const origin: Origin = { purpose: { what: `sending ${shortType(array.type)}`, subject, callSite } }
  const id = connection.send(
    {
      case: 'put',
      value: {
        $typeName: 'engram.v1.Put',
        buffer,
        type: typeToWire(array.type),
        totalBytes: BigInt(bytes.byteLength),
        data: piece(0),
      },
    },
    {
      purpose: origin.purpose,
      onReply: () => false,
      onError: (error) => {
        origin.failure = error
      },
    },
  )
  for (let at = chunkBytes; at < bytes.byteLength; at += chunkBytes)
    connection.extend(id, { case: 'putData', value: { $typeName: 'engram.v1.PutData', data: piece(at) } })
  return new RemoteBuffer(connection, buffer, array.type, origin)
}
