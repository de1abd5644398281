import { failIn } from './library-error.ts'

/** An einsum equation taken apart: the labels of each operand and of the result. */
export interface EinsumEquation {
  readonly inputs: readonly string[]
  readonly output: string
}

/**
 * Reads `bqd,bkd->bqk`. Without an arrow the result has the labels that occur once, in alphabetical order, as in NumPy.
 * Throws `OpError` if the equation is malformed or has another number of operands.
 */
export function parseEquation(equation: string, operandCount: number): EinsumEquation {
  const fail = (detail: string): never => failIn('einsum', `equation '${equation}': ${detail}`)
  if (operandCount === 0) fail('needs at least one operand')
  const text = equation.replace(/\s+/g, '')
  if (text.includes('.')) fail("'...' is not supported: name every axis with a letter")
  const [left, right, ...more] = text.split('->')
  if (more.length) fail("has more than one '->'")
  const stranger = /[^A-Za-z,]/.exec(left)?.[0] ?? (right === undefined ? undefined : /[^A-Za-z]/.exec(right)?.[0])
  if (stranger) fail(`'${stranger}' is not a label: labels are letters`)
  const inputs = left.split(',')
  if (inputs.length !== operandCount) fail(`has ${inputs.length} operands, ${operandCount} were given`)
  inputs.forEach((labels, i) => {
    const twice = repeated(labels)
    if (twice) fail(`operand ${i} repeats label '${twice}': take the diagonal first, einsum does not`)
  })
  const output = right ?? [...new Set(left.replaceAll(',', ''))].filter((label) => left.split(label).length === 2).sort().join('')
  const twice = repeated(output)
  if (twice) fail(`the result repeats label '${twice}'`)
  for (const label of output) if (!left.includes(label)) fail(`the result's label '${label}' is in no operand`)
  return { inputs, output }
}

const repeated = (labels: string): string | undefined => [...labels].find((label, i) => labels.indexOf(label) !== i)
