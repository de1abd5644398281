import type { Module, Operation } from '../ir/module.ts'
import type { HostValue } from '../ir/op-definition.ts'
import { onlyProcess } from '../ir/steps.ts'
import { Evaluator, checkInputs, findFunction } from './evaluator.ts'
import { runPrograms } from './parallel.ts'

/**
 * The reference interpreter: it says what a program must compute. It walks the operations in order and asks each op's
 * definition for its meaning; it knows no op itself. `interpretParallel` runs a program on many processes.
 */
export { EvaluationError } from './evaluator.ts'

export interface InterpretOptions {
  /** Called after every operation with its results, for tracing and debugging. */
  readonly onOperation?: (operation: Operation, results: readonly HostValue[]) => void
  /** The function to run; `@main`, or the only one, if nothing is said. */
  readonly entry?: string
  /** State that ops share in this run, given to look at or to continue it. */
  readonly shared?: Map<string, unknown>
}

/**
 * Runs `@main` (or the only function, or the one that is asked for) of a module. Inputs must have the types of its arguments.
 * Throws `InputError` for wrong inputs, `EvaluationError` for a failing op.
 */
export function interpret(module: Module, inputs: readonly HostValue[], options: InterpretOptions = {}): readonly HostValue[] {
  const main = options.entry === undefined ? module.main : findFunction(module, options.entry)
  checkInputs(main, inputs)
  const { onOperation } = options
  const evaluator = new Evaluator(module, {
    process: onlyProcess,
    shared: options.shared ?? new Map(),
    onOperation,
    parallel: (programs) => runPrograms(module, programs, { onOperation }),
  })
  return evaluator.func(main, inputs)
}
