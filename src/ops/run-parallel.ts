import type { Tensor, Value } from '../ir/module.ts'
import type { Func } from '../ir/module.ts'
import { type Type, shortTypes } from '../ir/types.ts'
import { emit } from '../trace/emit.ts'
import * as codec from './codecs.ts'
import { defineOp, notDifferentiable } from './define.ts'
import { compatibleTypes } from './elementwise-rules.ts'

/**
 * Runs functions of the module side by side, one on each process of a grid: `programs[replica][partition]`. Inputs and results are
 * those of all processes, row by row. It is no op of StableHLO, but of its reference interpreter, for tests of collectives.
 */
export const runParallelOp = defineOp({
  name: 'interpreter.run_parallel',
  operands: ['inputs...'],
  results: ['results...'],
  regions: [],
  attributes: { infeed: codec.optional(codec.arrayOf(codec.symbol)), programs: codec.arrayOf(codec.arrayOf(codec.symbol)) },
  assembly: 'generic',
  traits: { effect: true, operandTypes: 'any' },
  infer: ({ operands, attributes: { infeed, programs }, results, lookup, module, fail }) => {
    if (programs.length === 0 || programs[0].length === 0) fail('`programs` attribute cannot be empty')
    for (const row of programs)
      if (row.length !== programs[0].length) fail(`Sizes of second dimension of \`programs\` should all match ${programs[0].length} but got ${row.length}`)
    const find = (symbol: string): Func | undefined => lookup(symbol) ?? (module && fail(`Function "${symbol}" not found`))
    const functions = programs.flat().map(find)
    if (infeed) {
      if (infeed.length === 0) fail('infeed attribute is optional or should not be empty')
      for (const symbol of infeed) {
        const source = find(symbol)
        if (source?.argumentTypes.length) fail(`Function "${symbol}" should take 0 arguments but takes ${source.argumentTypes.length}`)
      }
    }
    if (functions.includes(undefined)) return results ?? fail('needs result types: its functions are not known')
    const inputs = functions.flatMap((func) => func!.argumentTypes)
    const outputs: readonly Type[] = functions.flatMap((func) => func!.resultTypes)
    if (operands.length !== inputs.length)
      fail(`Number of inputs (${operands.length}) should match the sum of the number of inputs of all programs (${inputs.length})`)
    if (!compatibleTypes(operands, inputs)) fail(`the programs take ${shortTypes(inputs)}, the inputs are ${shortTypes(operands)}`)
    if (results && results.length !== outputs.length)
      fail(`Number of results (${results.length}) should match the sum of the number of results of all programs (${outputs.length})`)
    if (results && !compatibleTypes(results, outputs)) fail(`the programs return ${shortTypes(outputs)}, not ${shortTypes(results)}`)
    return results ?? outputs
  },
  evaluate: ({ operands, attributes: { infeed = [], programs }, parallel }) => parallel({ programs, inputs: operands, infeed }),
  vjp: notDifferentiable('it is only for tests of collectives'),
})

/** Emits `interpreter.run_parallel` of functions of the module under construction, by name. Throws `OpError`. */
export const runParallel = (programs: readonly (readonly string[])[], inputs: readonly Value[], infeed?: readonly string[]): Tensor[] =>
  [...emit(runParallelOp, inputs, { programs, infeed }).results] as Tensor[]
