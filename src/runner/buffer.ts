import { HostArray } from '../ir/host-array.ts'
import type { DeviceBuffer } from '../ir/backend.ts'
import { isDType } from '../ir/dtypes.ts'
import { type TensorType, sameType, shortType, tensorType } from '../ir/types.ts'
import type { Connection, Purpose } from './connection.ts'
import { RunnerArgumentError, RunnerError, RunnerProtocolError } from './errors.ts'
import type { ArrayType } from './gen/runner_pb.ts'

/** What makes a buffer; an execution shares one among its results. `failure` is set when it is known to have failed. */
export interface Origin {
  readonly purpose: Purpose
  failure?: RunnerError
}

/** Frees buffers that were forgotten; a net under `release()`, since the collector knows nothing of the device's memory. */
const forgotten = new FinalizationRegistry<{ connection: Connection; handle: bigint }>(({ connection, handle }) => connection.free(handle))

/** An array that the runner's process holds. Only its handle is here. */
export class RemoteBuffer implements DeviceBuffer {
  readonly type: TensorType
  /** The buffer's id in the protocol. */
  readonly handle: bigint
  readonly connection: Connection
  readonly #origin: Origin
  #gone: string | undefined

  constructor(connection: Connection, handle: bigint, type: TensorType, origin: Origin) {
    this.connection = connection
    this.handle = handle
    this.type = type
    this.#origin = origin
    forgotten.register(this, { connection, handle }, this)
  }

  get released(): boolean {
    return this.#gone !== undefined
  }

  /** Why the buffer cannot be used any more, or undefined: `was released`. */
  get gone(): string | undefined {
    return this.#gone
  }

  read(): Promise<HostArray> {
    return this.#ask(
      (resolve, reject) => {
        let bytes: Uint8Array | undefined
        let filled = 0
        this.connection.send(
          { case: 'get', value: { $typeName: 'engram.v1.Get', buffer: this.handle } },
          {
            purpose: this.#reading(),
            onReply: (body) => {
              if (body.case !== 'get') return false
              const { data, totalBytes } = body.value
              const total = Number(totalBytes)
              bytes ??= new Uint8Array(total)
              if (filled + data.byteLength > total) throw new RunnerProtocolError('the runner sent more of an array than it announced')
              bytes.set(data, filled)
              filled += data.byteLength
              if (filled < total) return true
              try {
                resolve(this.#hostArray(body.value.type, bytes))
              } catch (error) {
                reject(error as RunnerError)
              }
              return false
            },
            onError: reject,
          },
        )
      },
    )
  }

  ready(): Promise<void> {
    return this.#ask((resolve, reject) => {
      this.connection.send(
        { case: 'wait', value: { $typeName: 'engram.v1.Wait', buffers: [this.handle] } },
        {
          purpose: this.#reading(),
          onReply: () => {
            resolve()
            return false
          },
          onError: reject,
        },
      )
    })
  }

  release(): void {
    if (this.#gone !== undefined) return
    this.markGone('was released')
    this.connection.free(this.handle)
  }

  /** Says that a program took the buffer's memory; `how` reads on after "the buffer". The runner drops it by itself. */
  markGone(how: string): void {
    this.#gone ??= how
    forgotten.unregister(this)
  }

  #ask<T>(start: (resolve: (value: T) => void, reject: (error: RunnerError) => void) => void): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#gone !== undefined) throw new RunnerArgumentError(`the buffer ${shortType(this.type)} ${this.#gone}, so it cannot be read`)
      if (this.#origin.failure) throw this.#origin.failure
      start(resolve, reject)
    })
  }

  /** A result's failure is its program's: XLA may report it only now. */
  #reading(): Purpose {
    return { ...this.#origin.purpose, what: `reading ${shortType(this.type)}, a result of ${this.#origin.purpose.subject}` }
  }

  #hostArray(type: ArrayType | undefined, bytes: Uint8Array): HostArray {
    const found = typeFromWire(type)
    if (!sameType(found, this.type))
      throw new RunnerArgumentError(
        `${this.#origin.purpose.subject} declares a result ${shortType(this.type)}, its text returns ${shortType(found)}`,
        this.#origin.purpose.callSite,
      )
    return HostArray.fromBytes(this.type, bytes)
  }
}

/** A tensor type as the protocol spells it. */
export const typeToWire = (type: TensorType): ArrayType => ({
  $typeName: 'engram.v1.ArrayType',
  dtype: type.dtype,
  dims: type.shape.map(BigInt),
})

/** The inverse of `typeToWire`. Throws `RunnerProtocolError`. */
export function typeFromWire(type: ArrayType | undefined): TensorType {
  if (type === undefined || !isDType(type.dtype)) throw new RunnerProtocolError(`the runner sent an array of unknown type ${type?.dtype ?? '(none)'}`)
  return tensorType(type.dtype, type.dims.map(Number))
}
