import type { HostArray } from '../../../src/ir/host-array.ts'
import { type Operation, Tensor } from '../../../src/ir/module.ts'
import { shortType } from '../../../src/ir/types.ts'
import { parseModule } from '../../../src/text/parse.ts'
import { printModule, printOperation } from '../../../src/text/print.ts'
import { verifyModule } from '../../../src/verify/verify.ts'
import type { GeneratedProgram } from './builder.ts'
import { type Difference, firstDifference } from './compare-results.ts'
import { type XlaRunner } from './run-on-xla.ts'

/** What was found wrong with a generated program. */
export interface Finding {
  readonly kind: 'text' | 'verifier' | 'interpreter' | 'refused' | 'crashed' | 'difference'
  readonly message: string
  readonly difference?: Difference
}

/** Printing, parsing and verifying: what is printed in either form reads back to what prints the same, and breaks no rule. */
export function checkText({ module }: GeneratedProgram): Finding | undefined {
  const text = printModule(module)
  const generic = printModule(module, { generic: true })
  try {
    const read = parseModule(text)
    if (printModule(read) !== text) return { kind: 'text', message: 'the printed program reads back to another one' }
    if (printModule(read, { generic: true }) !== generic) return { kind: 'text', message: 'the printed program has another generic form when read back' }
    if (printModule(parseModule(generic)) !== text) return { kind: 'text', message: 'the generic form reads back to another program' }
    const errors = verifyModule(read)
    if (errors.length > 0) return { kind: 'verifier', message: errors[0].message }
  } catch (error) {
    return { kind: 'text', message: `what is printed cannot be read: ${(error as Error).message}` }
  }
  return undefined
}

/** Runs the program in XLA and compares every op's result with the interpreter's. */
export async function checkProgram(program: GeneratedProgram, xla: XlaRunner): Promise<Finding | undefined> {
  const wrongText = checkText(program)
  if (wrongText) return wrongText
  const outcome = await xla.run(program)
  if (outcome.kind !== 'results') return outcome
  try {
    const difference = firstDifference(program, outcome.results)
    return difference && { kind: 'difference', message: `${difference.operation.name}: ${difference.what}`, difference }
  } catch (error) {
    return { kind: 'interpreter', message: (error as Error).message }
  }
}

/** A finding with the program, its inputs, and the op that differs with both results. */
export function findingText(program: GeneratedProgram, finding: Finding): string {
  const lines = [`${finding.kind}: ${finding.message}`, '', printModule(program.module).trimEnd(), '']
  program.inputs.forEach((input, i) => lines.push(`%arg${i} = ${arrayText(input)}`))
  if (finding.difference) lines.push('', ...differenceLines(finding.difference))
  return lines.join('\n')
}

function differenceLines({ operation, operands, result, position, expected, actual, rule }: Difference): string[] {
  return [
    `first op that differs, given the operands that XLA computed: ${typesText(operation)}`,
    printOperation(operation),
    ...operands.map((operand, i) => `operand ${i}: ${'dtype' in operand ? arrayText(operand) : operand.kind}`),
    `result ${result}, rule ${JSON.stringify(rule)}, first at element ${position}: interpreter ${elementText(expected, position)}, XLA ${elementText(actual, position)}`,
    `interpreter: ${arrayText(expected)}`,
    `XLA:         ${arrayText(actual)}`,
  ]
}

const typesText = ({ operands, results }: Operation): string =>
  `(${operands.map(({ type }) => shortType(type)).join(', ')}) -> ${results.map(({ type }) => shortType(type)).join(', ')}`

/** A number so that -0 and exact values can be told. */
const numberText = (value: unknown): string => (Object.is(value, -0) ? '-0' : Array.isArray(value) ? `(${value.map(numberText).join(', ')})` : String(value))
const elementText = (array: HostArray, position: number): string => (position < array.size ? numberText(array.at(position)) : 'none')

function arrayText(array: HostArray, most = 64): string {
  const shown = Array.from({ length: Math.min(array.size, most) }, (_, i) => numberText(array.at(i)))
  return `${shortType(array.type)} [${shown.join(', ')}${array.size > most ? ', ...' : ''}]`
}

/** The names of the ops that a program has, for counts of what was covered. */
export function opNames({ module }: GeneratedProgram): string[] {
  return module.functions.flatMap(({ block }) => block.operations.filter(({ results }) => results.some((value) => value instanceof Tensor)).map(({ name }) => name))
}
