import type { ProgramSource } from '../ir/backend.ts'
import { type Module, type Operation, type Value } from '../ir/module.ts'
import { type TensorType, sizeBytes } from '../ir/types.ts'
import { parseModule } from '../text/parse.ts'
import { printModule } from '../text/print.ts'

/** A program that also returns every value that its `@main` computes on the way, in order. */
export interface TracedSource extends ProgramSource {
  /** The operation of the program in question, and which of its results, for each result of this one. */
  readonly origins: readonly { readonly operation: Operation; readonly index: number }[]
}

/**
 * Makes a program return all values that the operations of its `@main` compute, not those inside regions and called functions. It keeps
 * memory for all of them, and a compiler that fuses operations may fuse other ones.
 */
export function withIntermediates(module: Module, name: string): TracedSource {
  const copy = parseModule(printModule(module), { file: `${name}.mlir` })
  const { main } = copy
  const originals = module.main.block.operations
  const kept: { value: Value; operation: Operation; index: number }[] = []
  main.block.operations.forEach((operation, at) => {
    operation.results.forEach((value, index) => {
      if (isFixedTensor(value)) kept.push({ value, operation: originals[at], index })
    })
  })
  // A donated input could not be used by what comes after the result that has its memory.
  main.argumentAttributes = main.argumentTypes.map(() => ({}))
  main.resultAttributes = []
  main.resultTypes = kept.map(({ value }) => value.type)
  main.block.terminator!.operands = kept.map(({ value }) => value)
  return {
    name: `${name}.intermediates`,
    module: copy,
    text: printModule(copy),
    inputs: main.argumentTypes as TensorType[],
    outputs: main.resultTypes as TensorType[],
    origins: kept.map(({ operation, index }) => ({ operation, index })),
  }
}

const isFixedTensor = ({ type }: Value): boolean => type.kind === 'tensor' && !type.unranked && type.shape.every((size) => size >= 0)

/** Bytes of all values that `withIntermediates` would return. */
export const intermediateBytes = (module: Module): number =>
  module.main.block.operations.reduce((sum, { results }) => sum + results.reduce((bytes, value) => bytes + (isFixedTensor(value) ? sizeBytes(value.type as TensorType) : 0), 0), 0)
