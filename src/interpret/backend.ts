import type { Backend, Compiled, DeviceBuffer, ProgramSource } from '../ir/backend.ts'
import { EngramError, InputError } from '../ir/errors.ts'
import { HostArray } from '../ir/host-array.ts'
import { type TensorType, shortType } from '../ir/types.ts'
import { interpret } from './interpreter.ts'

/**
 * The reference interpreter as a backend: everything that runs on the Python runner runs here too, slower, with no Python.
 */
export class InterpreterBackend implements Backend {
  readonly platform = 'interpreter'
  #closed = false

  async compile(source: ProgramSource): Promise<Compiled> {
    this.#check()
    return new InterpretedProgram(source)
  }

  put(array: HostArray): DeviceBuffer {
    this.#check()
    return new HostBuffer(array)
  }

  async close(): Promise<void> {
    this.#closed = true
  }

  #check(): void {
    if (this.#closed) throw new EngramError('the interpreter was closed', { code: 'BACKEND_CLOSED' })
  }
}

class InterpretedProgram implements Compiled {
  readonly statistics = { compileSeconds: 0 }
  readonly #source: ProgramSource
  #released = false

  constructor(source: ProgramSource) {
    this.#source = source
  }

  execute(inputs: readonly (HostArray | DeviceBuffer)[]): DeviceBuffer[] {
    if (this.#released) throw new EngramError(`${this.#source.name} was released`, { code: 'EXECUTABLE_RELEASED' })
    const arrays = inputs.map((input) => (input instanceof HostArray ? input : ownArray(input)))
    return interpret(this.#source.module, arrays).map((value) => {
      if (!(value instanceof HostArray)) throw new InputError(`${this.#source.name} gives a ${value.kind}, only arrays can be results`, 'RESULT_TYPE')
      return new HostBuffer(value)
    })
  }

  async release(): Promise<void> {
    this.#released = true
  }
}

function ownArray(buffer: DeviceBuffer): HostArray {
  if (!(buffer instanceof HostBuffer)) throw new InputError('a buffer of another backend was given to the interpreter', 'FOREIGN_BUFFER')
  return buffer.array
}

class HostBuffer implements DeviceBuffer {
  readonly type: TensorType
  #array: HostArray | undefined

  constructor(array: HostArray) {
    this.type = array.type
    this.#array = array
  }

  get array(): HostArray {
    if (!this.#array) throw new InputError(`a buffer of type ${shortType(this.type)} was released or donated and cannot be used again`, 'BUFFER_RELEASED')
    return this.#array
  }
  get released(): boolean {
    return this.#array === undefined
  }
  async read(): Promise<HostArray> {
    return this.array
  }
  async ready(): Promise<void> {
    void this.array
  }
  release(): void {
    this.#array = undefined
  }
}

