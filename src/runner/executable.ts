import type { CompileStatistics, Compiled, DeviceBuffer } from '../ir/backend.ts'
import type { HostArray } from '../ir/host-array.ts'
import { Location } from '../ir/location.ts'
import { type TensorType, sameType, shortType, shortTypes, sizeBytes } from '../ir/types.ts'
import { type Origin, RemoteBuffer, typeToWire } from './buffer.ts'
import type { Connection } from './connection.ts'
import { RunnerArgumentError } from './errors.ts'
import type { InlineArray } from './gen/runner_pb.ts'
import { putArray } from './put.ts'

/** Host arrays up to this size travel inside the request that executes the program. */
const inlineBytes = 64 << 10

export interface ExecuteOptions {
  /** Drops the execution, if it has not begun when the signal is aborted; its results then reject with `CancelledError`. */
  readonly signal?: AbortSignal
}

export interface ExecutableFacts {
  readonly name: string
  readonly handle: bigint
  readonly inputs: readonly TensorType[]
  readonly outputs: readonly TensorType[]
  /** Positions of the inputs that the program gives away. */
  readonly donated: readonly number[]
  readonly statistics: CompileStatistics
}

/** A program loaded in the runner's process. */
export class RunnerExecutable implements Compiled {
  readonly name: string
  readonly statistics: CompileStatistics
  readonly #connection: Connection
  readonly #facts: ExecutableFacts
  readonly #donated: ReadonlySet<number>
  #released = false

  constructor(connection: Connection, facts: ExecutableFacts) {
    this.#connection = connection
    this.#facts = facts
    this.name = facts.name
    this.statistics = facts.statistics
    this.#donated = new Set(facts.donated)
  }

  /** As `Compiled.execute`. Throws `RunnerArgumentError` if the inputs cannot be right, and the runner's end if it is gone. */
  execute(inputs: readonly (HostArray | DeviceBuffer)[], options: ExecuteOptions = {}): DeviceBuffer[] {
    const callSite = captureCallSite(this.execute)
    const { name, handle, outputs } = this.#facts
    this.#connection.assertOpen()
    if (this.#released) throw new RunnerArgumentError(`${name} was released`, callSite)
    this.#check(inputs, callSite)

    const ids: bigint[] = []
    const inline: InlineArray[] = []
    const temporary: bigint[] = []
    for (const input of inputs) {
      if (input instanceof RemoteBuffer) {
        ids.push(input.handle)
      } else if (sizeBytes(input.type) <= inlineBytes) {
        ids.push(0n)
        inline.push({ $typeName: 'engram.v1.InlineArray', type: typeToWire(input.type), data: (input as HostArray).toBytes() })
      } else {
        const buffer = putArray(this.#connection, input as HostArray, callSite)
        ids.push(buffer.handle)
        temporary.push(buffer.handle)
      }
    }
    const firstOutput = this.#connection.allocate(outputs.length)
    const origin: Origin = { purpose: { what: `executing ${name}`, subject: name, callSite } }
    const request = this.#connection.send(
      {
        case: 'execute',
        value: { $typeName: 'engram.v1.Execute', executable: handle, inputs: ids, inline, firstOutput, outputCount: outputs.length },
      },
      {
        purpose: origin.purpose,
        onReply: () => {
          stopListening?.()
          return false
        },
        onError: (error) => {
          stopListening?.()
          origin.failure = error
        },
      },
    )
    const stopListening = options.signal && onAbort(options.signal, () => this.#connection.cancel(request))
    for (const position of this.#donated) {
      const input = inputs[position]
      if (input instanceof RemoteBuffer) input.markGone(`was donated to ${name}${describe(callSite)}`)
    }
    for (const buffer of temporary) this.#connection.free(buffer)
    return outputs.map((type, i) => new RemoteBuffer(this.#connection, firstOutput + BigInt(i), type, origin))
  }

  async release(): Promise<void> {
    if (this.#released) return
    this.#released = true
    // With the runner gone, so is the program; an error here would hide the one that says why.
    if (!this.#connection.isOpen) return
    const { name, handle } = this.#facts
    await this.#connection.call(
      { case: 'releaseExecutable', value: { $typeName: 'engram.v1.ReleaseExecutable', executable: handle } },
      { what: `releasing ${name}`, subject: name },
    )
  }

  #check(inputs: readonly (HostArray | DeviceBuffer)[], callSite: Location): void {
    const { name, inputs: expected } = this.#facts
    if (inputs.length !== expected.length)
      throw new RunnerArgumentError(
        `${name} takes ${expected.length} inputs ${shortTypes(expected)}, got ${inputs.length} ${shortTypes(inputs.map((input) => input.type))}`,
        callSite,
      )
    for (let i = 0; i < inputs.length; i++) {
      const input = inputs[i]
      if (!sameType(input.type, expected[i]))
        throw new RunnerArgumentError(`${name}: input ${i} must be ${shortType(expected[i])}, got ${shortType(input.type)}`, callSite)
      if (input instanceof RemoteBuffer) {
        if (input.connection !== this.#connection)
          throw new RunnerArgumentError(`${name}: input ${i}, ${shortType(input.type)}, is on another runner; read it and pass the array`, callSite)
        if (input.gone !== undefined)
          throw new RunnerArgumentError(`${name}: input ${i}, ${shortType(input.type)}, ${input.gone}, so it cannot be used`, callSite)
      } else if ('read' in input) {
        throw new RunnerArgumentError(`${name}: input ${i}, ${shortType(input.type)}, is a buffer of another backend; read it and pass the array`, callSite)
      }
    }
    for (const position of this.#donated) {
      const twice = inputs.findIndex((input, i) => i !== position && input === inputs[position] && input instanceof RemoteBuffer)
      if (twice !== -1)
        throw new RunnerArgumentError(`${name}: input ${position} is donated, so the same buffer cannot be input ${twice} as well`, callSite)
    }
  }
}

/** The place from which `callee` was called. */
export function captureCallSite(callee: (...parameters: never[]) => unknown): Location {
  const holder: { stack?: string } = {}
  Error.captureStackTrace(holder, callee)
  return Location.fromStack('', holder)
}

/** Runs `action` when the signal is aborted, at once if it is; returns what stops listening. */
export function onAbort(signal: AbortSignal, action: () => void): () => void {
  if (signal.aborted) action()
  else signal.addEventListener('abort', action, { once: true })
  return () => signal.removeEventListener('abort', action)
}

function describe(callSite: Location): string {
  const place = callSite.describe()
  return place ? ` at ${place}` : ''
}
