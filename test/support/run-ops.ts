import type { HostArray } from '../../src/ir/host-array.ts'
import type { Tensor } from '../../src/ir/module.ts'
import type { TensorType } from '../../src/ir/types.ts'
import { interpret } from '../../src/interpret/interpreter.ts'
import { traceFunction } from '../../src/program/trace-function.ts'

/** Traces `build` on the types of `inputs` and interprets it. */
export function runOps(build: (...inputs: Tensor[]) => Tensor | readonly Tensor[], ...inputs: HostArray[]): HostArray[] {
  const { module } = traceFunction('test', build, inputs.map((input) => input.type))
  return interpret(module, inputs) as HostArray[]
}

/** The same for one result. */
export const runOp = (build: (...inputs: Tensor[]) => Tensor, ...inputs: HostArray[]): HostArray => runOps(build, ...inputs)[0]

/** The message of the error that tracing `build` on these types throws, without the place. */
export function traceError(build: (...inputs: Tensor[]) => unknown, ...types: TensorType[]): string {
  try {
    traceFunction('test', build as (...inputs: Tensor[]) => Tensor, types)
  } catch (error) {
    return (error as Error).message.replace(/\n {2}at [^\n]*/g, '')
  }
  throw new Error('expected an error, got none')
}
