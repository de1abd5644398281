import type { CompileStatistics } from '../ir/backend.ts'
import type { Location } from '../ir/location.ts'
import { type BundleCount, BundleCounter } from '../xla/bundles.ts'
import { placeInText } from './compile-message.ts'
import type { Connection } from './connection.ts'
import { CompileError, RunnerProtocolError } from './errors.ts'
import { FilePiece_Kind } from './gen/runner_pb.ts'
import { statisticsFromWire } from './statistics.ts'

/** A program to look at: its name for messages, and StableHLO with one public `@main`. */
export interface NamedText {
  readonly name: string
  readonly text: string
}

/** What a compiler made of a program. */
export interface OptimizedProgram {
  /** The optimised program as XLA prints it. */
  readonly hlo: string
  /** Bundles of the kernels by the op of `hlo` that each belongs to; only of a TPU's compiler. */
  readonly kernels: ReadonlyMap<string, BundleCount>
  readonly statistics: CompileStatistics
  /** The executable, if it was asked for; it fits only the very same version of libtpu. */
  readonly serialized: Uint8Array | undefined
}

/** For which devices; without a topology for that of the runner's platform. */
export interface OptimizeRequest {
  readonly topology?: { readonly name: string; readonly chipsPerHost: readonly number[] | undefined }
  readonly partitions: number
  readonly sendExecutable: boolean
}

/** Has the runner compile a program and takes in the files that come back. Rejects with `CompileError` and whatever ends a runner. */
export function requestOptimized(connection: Connection, source: NamedText, request: OptimizeRequest, callSite: Location): Promise<OptimizedProgram> {
  const { name, text } = source
  const files = new FileReceiver()
  return new Promise((resolve, reject) => {
    connection.send(
      {
        case: 'compileFor',
        value: {
          $typeName: 'engram.v1.CompileFor',
          name,
          text,
          topology: request.topology?.name ?? '',
          chipsPerHost: [...(request.topology?.chipsPerHost ?? [])],
          partitions: request.partitions,
          sendExecutable: request.sendExecutable,
        },
      },
      {
        purpose: { what: `compiling ${name}`, subject: name, callSite },
        onReply: (body) => {
          if (body.case !== 'compileFor' || body.value.part.case === undefined) {
            reject(new RunnerProtocolError(`the runner answered a compilation with ${body.case}`))
            return false
          }
          const { part } = body.value
          if (part.case === 'piece') {
            files.take(part.value.kind, part.value.name, part.value.data)
            return true
          }
          resolve({ ...files.finish(), statistics: statisticsFromWire(part.value) })
          return false
        },
        onError: (error) => reject(error instanceof CompileError ? placeInText(error, source) : error),
      },
    )
  })
}

/** Puts the files together, of which only counts are kept where they are large. */
class FileReceiver {
  readonly #hlo: Buffer[] = []
  readonly #executable: Buffer[] = []
  readonly #kernels = new Map<string, BundleCounter>()

  /** The bytes are copied, since the memory of a frame is used again. */
  take(kind: FilePiece_Kind, name: string, data: Uint8Array): void {
    if (kind === FilePiece_Kind.HLO) this.#hlo.push(Buffer.from(data))
    else if (kind === FilePiece_Kind.EXECUTABLE) this.#executable.push(Buffer.from(data))
    else if (kind === FilePiece_Kind.BUNDLES) {
      let counter = this.#kernels.get(name)
      if (counter === undefined) this.#kernels.set(name, (counter = new BundleCounter()))
      counter.push(Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('latin1'))
    }
  }

  finish(): Omit<OptimizedProgram, 'statistics'> {
    return {
      hlo: Buffer.concat(this.#hlo).toString(),
      kernels: new Map(Array.from(this.#kernels, ([name, counter]) => [name, counter.finish()])),
      serialized: this.#executable.length > 0 ? new Uint8Array(Buffer.concat(this.#executable)) : undefined,
    }
  }
}
