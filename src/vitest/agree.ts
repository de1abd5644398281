import { randomArrays } from '../data/random-arrays.ts'
import { type ElementError, type Tolerance, worstElement } from '../host/agreement.ts'
import type { Backend, ProgramSource } from '../ir/backend.ts'
import { type DType, dtypeNames, dtypes } from '../ir/dtypes.ts'
import { InputError } from '../ir/errors.ts'
import { HostArray } from '../ir/host-array.ts'
import { type Operation, type Value, isDeclaration } from '../ir/module.ts'
import { sameType, shortType } from '../ir/types.ts'
import { InterpreterBackend } from '../interpret/backend.ts'
import type { Session } from '../program/session.ts'
import type { BackendName } from '../program/start.ts'
import { flatten, flattenLike } from '../trace/tree.ts'
import { checkModule } from '../verify/verify.ts'
import { type TracedSource, intermediateBytes, withIntermediates } from './intermediates.ts'
import type { MatchResult } from './match-stablehlo.ts'
import { sessionOf } from './sessions.ts'
import { OperationText, type Subject, type SubjectOptions, receivedFile, sourceOf, subjectOf } from './subject.ts'

/** One tolerance for all floats, or one for each element type; `default` is for those not named. */
export type AgreementTolerance = Tolerance | (Partial<Record<DType, Tolerance>> & { readonly default?: Tolerance })

export interface AgreeOptions extends SubjectOptions {
  /** What is compared with the interpreter; `cpu` if nothing is said. A session is used and left open. */
  readonly backend?: BackendName | Session
  /** The arguments, nested as the function takes them; for text an array for each argument. */
  readonly inputs?: readonly unknown[]
  /** Draws the inputs, if there are none: floats from -1 up to 1, whole numbers from 0 to 3; 0 if nothing is said. */
  readonly seed?: number
  /** How far apart is close enough; by the type of the result if nothing is said. */
  readonly tolerance?: AgreementTolerance
  /**
   * Compares all values on the way too, and not the results alone. Without it a failure does so, to find the first value that is off,
   * unless they are larger than 256 MiB; with `false` it does not.
   */
  readonly trace?: boolean
}

/** Bytes of intermediate values up to which a failure looks at them unasked. */
const tracedBytes = 2 ** 28

/**
 * What is allowed if nothing is said, relative to the largest element of the result, because sums of terms that cancel have no better: some
 * hundred roundings in the wide types, a few in the narrow ones.
 */
function defaultTolerance(dtype: DType): Tolerance {
  const info = dtypes[dtype]
  const part: DType = info.kind === 'complex' ? info.part : dtype
  const epsilon = ({ f64: 2 ** -52, f32: 2 ** -23, f16: 2 ** -10, bf16: 2 ** -7 } as Partial<Record<DType, number>>)[part]
  if (dtypes[part].kind !== 'float') return {}
  if (part === 'f64' || part === 'f32') return { ofLargest: 128 * epsilon! }
  return epsilon === undefined ? { ulp: 1 } : { ofLargest: 4 * epsilon }
}

const toleranceKeys = new Set(['ulp', 'relative', 'absolute', 'ofLargest'])

/** The tolerance for each element type. Throws `InputError` for a key that is none. */
function toleranceRule(given: AgreementTolerance | undefined): (dtype: DType) => Tolerance {
  if (given === undefined) return defaultTolerance
  const check = (tolerance: object, known: (key: string) => boolean, expected: string): void => {
    for (const [key, value] of Object.entries(tolerance)) if (value !== undefined && !known(key)) throw new InputError(`toAgree: a tolerance has no ${key}: expected ${expected}`)
  }
  const isLimit = (key: string): boolean => toleranceKeys.has(key)
  if (Object.keys(given).some(isLimit)) {
    check(given, isLimit, [...toleranceKeys].join(', '))
    return () => given as Tolerance
  }
  const byType = given as Partial<Record<DType | 'default', Tolerance>>
  check(byType, (key) => key === 'default' || (dtypeNames as readonly string[]).includes(key), `${[...toleranceKeys].join(', ')}, or element types`)
  Object.values(byType).forEach((each) => each && check(each, isLimit, [...toleranceKeys].join(', ')))
  return (dtype) => byType[dtype] ?? byType.default ?? defaultTolerance(dtype)
}

/** Runs the program on the interpreter and on a backend, and compares what they give; with `isNot` a difference is what is wanted, and not explained. */
export async function agree(received: unknown, options: AgreeOptions, isNot = false): Promise<MatchResult> {
  const subject = subjectOf(received, 'toAgree', { types: options.types })
  if (!subject.program) checkModule(subject.module, typeof received === 'string' ? { source: { text: received, file: receivedFile } } : {})
  const rule = toleranceRule(options.tolerance)
  const source = options.trace ? withIntermediates(subject.module, subject.name) : sourceOf(subject)
  const inputs = inputsOf(subject, source, options)
  const session = await sessionOf(options.backend ?? 'cpu')
  const comparison = new Comparison(subject, session.backend, inputs, rule)
  const results = await comparison.run(source)
  const off = 'origins' in source ? undefined : worst(results)
  if (!options.trace && (!off || off.error.excess <= 1)) return agreed(subject, session.platform)
  const first = options.trace ? comparison.firstOff(source as TracedSource, results) : undefined
  if (options.trace && !first) return agreed(subject, session.platform)
  const origin = options.trace || options.trace === false || isNot ? undefined : await comparison.origin()
  return { pass: false, message: () => [off ? comparison.resultText(off) : comparison.headText(), ...(first ? comparison.firstText(first) : (origin ?? []))].join('\n') }
}

const agreed = ({ name }: Subject, platform: string): MatchResult => ({
  pass: true,
  message: () => `${name} should not give the same on the interpreter and on ${platform}, it does`,
})

function inputsOf({ program, name }: Subject, source: ProgramSource, { inputs, seed }: AgreeOptions): HostArray[] {
  if (inputs === undefined) return randomArrays(source.inputs, seed ?? 0)
  if (seed !== undefined) throw new InputError('toAgree: inputs and seed exclude each other')
  const isHostArray = (value: unknown): value is HostArray => value instanceof HostArray
  const arrays = program ? flattenLike(program.inputStructure, inputs, isHostArray, `toAgree: the inputs of ${name}`) : flatten(inputs, isHostArray, 'toAgree: the inputs').leaves
  if (arrays.length !== source.inputs.length) throw new InputError(`toAgree: ${name} takes ${source.inputs.length} inputs, got ${arrays.length}`, 'INPUT_COUNT')
  arrays.forEach((array, i) => {
    if (!sameType(array.type, source.inputs[i]))
      throw new InputError(`toAgree: input ${program?.inputPaths[i] ?? i} of ${name}: expected ${shortType(source.inputs[i])}, got ${shortType(array.type)}`, 'INPUT_TYPE')
  })
  return arrays
}

/** A result of both, and the element that is farthest off if they are not equal. */
interface ComparedResult {
  readonly position: number
  readonly actual: HostArray
  readonly error: ElementError | undefined
}
type WorstResult = ComparedResult & { readonly error: ElementError }

function worst(results: readonly ComparedResult[]): WorstResult | undefined {
  let found: WorstResult | undefined
  for (const result of results) if (result.error && (!found || result.error.excess > found.error.excess)) found = result as WorstResult
  return found
}

class Comparison {
  readonly #subject: Subject
  readonly #backend: Backend
  readonly #inputs: readonly HostArray[]
  readonly #rule: (dtype: DType) => Tolerance

  constructor(subject: Subject, backend: Backend, inputs: readonly HostArray[], rule: (dtype: DType) => Tolerance) {
    this.#subject = subject
    this.#backend = backend
    this.#inputs = inputs
    this.#rule = rule
  }

  async run(source: ProgramSource): Promise<ComparedResult[]> {
    const [actual, expected] = [await runOn(this.#backend, source, this.#inputs), await runOn(new InterpreterBackend(), source, this.#inputs)]
    return actual.map((array, position) => ({ position, actual: array, error: worstElement(array, expected[position], this.#rule(array.dtype)) }))
  }

  headText(): string {
    return `${this.#subject.name} gives something else on ${this.#backend.platform} than on the interpreter`
  }

  /** The worst element of the results, and the op that made it. */
  resultText({ position, actual, error }: WorstResult): string {
    const { program, module } = this.#subject
    const result = module.main.block.terminator?.operands[position]
    const path = program?.outputPaths[position]
    const which = path ? `result ${path}` : `result${module.main.resultTypes.length > 1 ? ` ${position}` : ''}`
    return [
      `${this.headText()}: ${which}, ${shortType(actual.type)}${elementText(actual, error)}`,
      ...errorLines(error, this.#backend.platform, actual.dtype, this.#rule(actual.dtype)),
      ...(result ? [`the result is ${this.#valueText(result)}`] : []),
    ].join('\n')
  }

  #valueText(value: Value): string {
    if (!value.definition) return `argument ${this.#subject.program?.inputPaths[value.index] ?? value.index}`
    return new OperationText(this.#subject.module).withOrigin(value.definition)
  }

  /** Looks for the first value on the way that is off, where that is affordable. */
  async origin(): Promise<string[]> {
    const { module, name } = this.#subject
    if (isDeclaration(module.main)) return []
    const bytes = intermediateBytes(module)
    if (bytes > tracedBytes) return [`(the values on the way were not looked at: they take ${Math.ceil(bytes / 2 ** 20)} MiB; { trace: true } looks at them)`]
    const traced = withIntermediates(module, name)
    try {
      const first = this.firstOff(traced, await this.run(traced))
      return first ? this.firstText(first) : ['with all values on the way as results too, they agree: what the compiler fuses makes the difference']
    } catch (error) {
      return [`(the values on the way could not be looked at: ${(error as Error).message.split('\n')[0]})`]
    }
  }

  /** The first value that is off. */
  firstOff({ origins }: TracedSource, results: readonly ComparedResult[]): (WorstResult & { readonly operation: Operation; readonly index: number }) | undefined {
    const found = results.find(({ error }) => error && error.excess > 1)
    return found && { ...(found as WorstResult), ...origins[found.position] }
  }

  firstText({ operation, index, actual, error }: WorstResult & { readonly operation: Operation; readonly index: number }): string[] {
    return [
      `the first value that is off comes from ${new OperationText(this.#subject.module).withOrigin(operation)}`,
      `its ${operation.results.length > 1 ? `result ${index}` : 'result'}, ${shortType(actual.type)}${elementText(actual, error)}`,
      ...errorLines(error, this.#backend.platform, actual.dtype, this.#rule(actual.dtype)),
    ]
  }
}

async function runOn(backend: Backend, source: ProgramSource, inputs: readonly HostArray[]): Promise<HostArray[]> {
  const compiled = await backend.compile(source)
  try {
    const buffers = compiled.execute(inputs)
    try {
      return await Promise.all(buffers.map((buffer) => buffer.read()))
    } finally {
      buffers.forEach((buffer) => buffer.release())
    }
  } finally {
    await compiled.release()
  }
}

const elementText = ({ shape, size }: HostArray, { index, count }: ElementError): string =>
  `${shape.length ? `, at [${index.join(', ')}]` : ''}${size > 1 ? ` (${count} of ${size} elements are off, this one most)` : ''}`

function errorLines({ actual, expected, ulp, relative, absolute }: ElementError, platform: string, dtype: DType, tolerance: Tolerance): string[] {
  const width = Math.max(platform.length, 'interpreter'.length)
  const line = (name: string, text: string): string => `  ${name.padEnd(width)}  ${text}`
  const limits = Object.entries(tolerance).flatMap(([key, value]) => (value === undefined ? [] : [`${short(value as number)} ${limitNames[key]}`]))
  const whole = !/float|complex/.test(dtypes[dtype].kind)
  const distance = whole || !Number.isFinite(absolute) ? (Number.isFinite(absolute) ? short(absolute) : 'infinite') : `${ulp} ulp, ${short(relative)} relative, ${short(absolute)} absolute`
  return [
    line('interpreter', valueText(expected, dtype)),
    line(platform, valueText(actual, dtype)),
    line('distance', distance),
    line('allowed', whole || limits.length === 0 ? 'none' : limits.join(' or ')),
  ]
}

const limitNames: Readonly<Record<string, string>> = { ulp: 'ulp', relative: 'relative', absolute: 'absolute', ofLargest: 'of the largest element' }
const short = (value: number): string => String(Number(value.toPrecision(3)))

/** With as many digits as tell an element from its neighbours. */
function valueText(value: unknown, dtype: DType): string {
  if (Array.isArray(value)) return `(${value.map((part) => valueText(part, dtype === 'c64' ? 'f32' : 'f64')).join(', ')})`
  return String(typeof value === 'number' && dtype !== 'f64' && Number.isFinite(value) ? Number(value.toPrecision(9)) : value)
}
