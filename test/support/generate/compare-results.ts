import { type DType, dtypes } from '../../../src/ir/dtypes.ts'
import type { HostArray } from '../../../src/ir/host-array.ts'
import { type Operation, type Value, capturedValues } from '../../../src/ir/module.ts'
import type { HostValue } from '../../../src/ir/op-definition.ts'
import { onlyProcess } from '../../../src/ir/steps.ts'
import { sameType, shortType } from '../../../src/ir/types.ts'
import { ulpDistance } from '../../../src/host/agreement.ts'
import { Evaluator } from '../../../src/interpret/evaluator.ts'
import { runPrograms } from '../../../src/interpret/parallel.ts'
import { type Rule, flushed, magnitudes, ruleFor, smallestNormal, unitRoundoff } from './agreement-rules.ts'
import type { GeneratedProgram } from './builder.ts'
import { openElements } from './open-cases.ts'

/** The first op on whose result XLA and the interpreter differ, given the same operands: those that XLA computed. */
export interface Difference {
  readonly operation: Operation
  readonly operands: readonly HostValue[]
  /** Which of the op's results, and the position of the first element that differs. */
  readonly result: number
  readonly position: number
  readonly expected: HostArray
  readonly actual: HostArray
  readonly rule: Rule
  readonly what: string
}

/** Compares each op's result, XLA's operands given to the interpreter, so that no difference is carried on. */
export function firstDifference({ module, inputs, results }: GeneratedProgram, actual: readonly HostArray[]): Difference | undefined {
  const evaluator = new Evaluator(module, { process: onlyProcess, shared: new Map(), parallel: (programs) => runPrograms(module, programs, {}) })
  const { block } = module.main
  const values = new Map<Value, HostValue>()
  block.arguments.forEach((argument, i) => values.set(argument, inputs[i]))
  const approximate = new Set<Value>()
  const known = new Map<Value, HostArray>(results.map((value, i) => [value, actual[i]]))
  for (const operation of block.operations) {
    if (operation.definition.traits?.terminator) break
    const operands = operation.operands.map((operand) => values.get(operand)!)
    const evaluate = (change?: (array: HostArray) => HostArray): readonly HostArray[] => {
      const scope = change ? new Map([...values].map(([value, array]) => [value, changed(array, change)])) : new Map(values)
      return evaluator.operation(operation, operation.operands.map((operand) => scope.get(operand)!), scope) as HostArray[]
    }
    const expected = evaluate()
    for (let i = 0; i < operation.results.length; i++) {
      const given = known.get(operation.results[i])
      values.set(operation.results[i], given ?? expected[i])
      if (!given) continue
      const inexact = uses(operation).some((value) => approximate.has(value))
      const rule = ruleFor(operation, i)
      if (inexact || rule.kind !== 'exact') approximate.add(operation.results[i])
      const difference = compareResult(operation, operands as readonly HostArray[], i, expected[i], given, evaluate)
      if (difference && !(inexact && explainedByFusion(difference))) return { operation, operands, ...difference }
    }
  }
  return undefined
}

/** The values that an operation uses, those that its regions take from outside among them. */
const uses = (operation: Operation): Value[] => [...operation.operands, ...operation.regions.flatMap(capturedValues)]

/**
 * XLA computes a value anew in each loop that uses it. Of a function that it approximates, the copy that an op saw may differ in its last bits
 * from the one that is the program's result; a comparison or a rounding to integers may then come out otherwise.
 */
function explainedByFusion({ expected, actual, rule }: Omit<Difference, 'operation' | 'operands'>): boolean {
  const { kind } = dtypes[actual.dtype]
  if (rule.kind !== 'exact' || (kind !== 'float' && kind !== 'complex')) return true
  const allowed = 256 * unitRoundoff(actual.dtype) * Math.max(1, largestNumber(expected))
  return actual.data.every((value: number | bigint, i: number) => Object.is(value, expected.data[i]) || Math.abs((value as number) - (expected.data[i] as number)) <= allowed)
}

const isArray = (value: HostValue): value is HostArray => 'dtype' in value
const changed = (value: HostValue, change: (array: HostArray) => HostArray): HostValue => (isArray(value) ? change(value) : value)

type Evaluate = (change?: (array: HostArray) => HostArray) => readonly HostArray[]

function compareResult(
  operation: Operation, operands: readonly HostArray[], result: number, expected: HostArray, actual: HostArray, evaluate: Evaluate,
): Omit<Difference, 'operation' | 'operands'> | undefined {
  const rule = ruleFor(operation, result)
  if (!sameType(expected.type, actual.type))
    return { result, position: 0, expected, actual, rule, what: `type ${shortType(expected.type)} in the interpreter, ${shortType(actual.type)} in XLA` }
  let wrong = differing(expected, actual, rule, undefined)
  if (wrong.length === 0) return undefined
  const open = openElements(operation, operands)
  if (open === 'all') return undefined
  const width = dtypes[actual.dtype].kind === 'complex' ? 2 : 1
  if (open) wrong = wrong.filter((at) => !open(Math.floor(at / width)))
  // XLA on the CPU takes denormals for zeros, and gives zeros for them.
  if (wrong.length > 0) wrong = stillWrong(wrong, evaluate(flushed)[result], actual, rule)
  if (rule.kind === 'ulp') wrong = wrong.filter((at) => !operands.some((operand) => isDenormal(operand, at, actual)))
  if (wrong.length > 0 && rule.kind === 'magnitude') {
    const others = new Set(differing(expected, actual, rule, evaluate(magnitudes)[result]))
    wrong = wrong.filter((at) => others.has(at))
  }
  if (wrong.length > 0 && rule.kind === 'norm') {
    const allowed = rule.units * unitRoundoff(actual.dtype) * Math.max(1, ...[...operands, expected].map(largestNumber))
    wrong = wrong.filter((at) => !(Math.abs((actual.data[at] as number) - (expected.data[at] as number)) <= allowed))
  }
  if (wrong.length === 0) return undefined
  return { result, position: Math.floor(wrong[0] / width), expected, actual, rule, what: `${wrong.length} of ${actual.data.length} elements differ` }
}

const stillWrong = (wrong: readonly number[], expected: HostArray, actual: HostArray, rule: Rule): number[] => {
  const others = new Set(differing(expected, actual, rule, undefined))
  return wrong.filter((at) => others.has(at))
}

/** What its approximations make of a denormal, XLA says with still other numbers. */
function isDenormal({ data, dtype }: HostArray, at: number, actual: HostArray): boolean {
  const value = data[at]
  return data.length === actual.data.length && typeof value === 'number' && value !== 0 && dtypes[dtype].kind === 'float' && Math.abs(value) < smallestNormal(dtype)
}

/** Stored positions that do not agree. */
function differing(expected: HostArray, actual: HostArray, rule: Rule, scale: HostArray | undefined): number[] {
  const wrong: number[] = []
  const info = dtypes[actual.dtype]
  const part: DType = info.kind === 'complex' ? info.part : actual.dtype
  const floating = dtypes[part].kind === 'float'
  const width = info.kind === 'complex' ? 2 : 1
  for (let i = 0; i < actual.data.length; i++) {
    const [a, e] = [actual.data[i], expected.data[i]]
    if (a === e || (a !== a && e !== e)) continue
    if (width === 2 && rule.kind === 'ulp' && nearModulus(part, actual, expected, i, rule)) continue
    if (!floating || !near(part, a as number, e as number, rule, scale && Math.max(Math.abs(scale.data[i] as number), complexPartner(scale, i)))) wrong.push(i)
  }
  return wrong
}

const largestNumber = ({ data }: HostArray): number => (data as Float64Array).reduce((most, value) => (Number.isFinite(value) ? Math.max(most, Math.abs(value)) : most), 0)

/** The other part of a complex number: each part of a product depends on both. */
const complexPartner = (array: HostArray, i: number): number => (dtypes[array.dtype].kind === 'complex' ? Math.abs(array.data[i ^ 1] as number) : 0)

function nearModulus(dtype: DType, actual: HostArray, expected: HostArray, i: number, rule: Rule & { kind: 'ulp' }): boolean {
  const modulus = Math.hypot(expected.data[i] as number, expected.data[i ^ 1] as number)
  const units = dtype === 'f64' ? rule.units64 : rule.units
  return Math.abs((actual.data[i] as number) - (expected.data[i] as number)) <= units * unitRoundoff(dtype) * modulus
}

function near(dtype: DType, actual: number, expected: number, rule: Rule, scale: number | undefined): boolean {
  const limit = smallestNormal(dtype)
  // Denormals: some of XLA's instructions take them for zeros, others move them as they are.
  if (Math.abs(actual) < limit && Math.abs(expected) <= limit * (rule.kind === 'exact' ? 1 : 2)) return true
  switch (rule.kind) {
    case 'exact':
      return false
    case 'ulp':
      return ulpDistance(dtype, actual, expected) <= (dtype === 'f64' ? rule.units64 : rule.units) || Math.abs(actual - expected) <= (rule.absolute ?? 0)
    case 'norm':
      return false
    case 'magnitude':
      if (scale === undefined) return ulpDistance(dtype, actual, expected) <= 1
      // Where the magnitudes overflow, so may a sum on the way, in one order and not in another.
      return !Number.isFinite(scale) || Math.abs(actual - expected) <= rule.units * unitRoundoff(dtype) * scale + limit
  }
}
