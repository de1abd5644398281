import type { AssemblyParser } from '../ir/assembly.ts'
import type { Attribute } from '../ir/attributes.ts'
import type { AttributeCodec } from '../ir/op-definition.ts'
import { type Piece, parseIntegerList } from './assembly.ts'
import * as codec from './codecs.ts'

/** Attributes of contractions and how they are written. Source: specification, "dot_general". */

/** How exact a matrix multiplication of f32 is on hardware that multiplies bf16: one pass, three, or as many as f32 needs. */
export const precisions = ['DEFAULT', 'HIGH', 'HIGHEST'] as const
export type Precision = (typeof precisions)[number]

export const precisionConfig = codec.optional(codec.arrayOf(codec.enumeration('precision', precisions)))

export const dotDimensionNumbers = codec.dimensionStruct(
  'dot',
  ['lhs_batching_dimensions', 'rhs_batching_dimensions', 'lhs_contracting_dimensions', 'rhs_contracting_dimensions'],
  [],
)
export interface DotDimensionNumbers {
  readonly lhs_batching_dimensions: readonly number[]
  readonly rhs_batching_dimensions: readonly number[]
  readonly lhs_contracting_dimensions: readonly number[]
  readonly rhs_contracting_dimensions: readonly number[]
}

/** A way of computing a contraction in hardware: element types of the operands and of the sum, and in how many parts they are split. */
export interface DotAlgorithm {
  readonly lhs_precision_type: string
  readonly rhs_precision_type: string
  readonly accumulation_type: string
  readonly lhs_component_count: number
  readonly rhs_component_count: number
  readonly num_primitive_operations: number
  readonly allow_imprecise_accumulation: boolean
}

const algorithmFields: { readonly [K in keyof DotAlgorithm]: (text: string) => DotAlgorithm[K] | undefined } = {
  lhs_precision_type: String,
  rhs_precision_type: String,
  accumulation_type: String,
  lhs_component_count: integer,
  rhs_component_count: integer,
  num_primitive_operations: integer,
  allow_imprecise_accumulation: (text) => (text === 'true' ? true : text === 'false' ? false : undefined),
}
const algorithmNames = Object.keys(algorithmFields) as (keyof DotAlgorithm)[]

function integer(text: string): number | undefined {
  return /^-?\d+$/.test(text) ? Number(text) : undefined
}

const algorithmText = (value: DotAlgorithm): string => `<${algorithmNames.map((name) => `${name} = ${value[name]}`).join(', ')}>`

export const dotAlgorithm = codec.optional<DotAlgorithm>({
  expected: `#stablehlo.dot_algorithm<${algorithmNames.join(', ')}>`,
  print: (value) => `#stablehlo.dot_algorithm${algorithmText(value)}`,
  parse: (attribute) => {
    const body = attribute.kind === 'dialect' ? /^#stablehlo\.dot_algorithm<([^<>]*)>$/.exec(attribute.text)?.[1] : undefined
    if (body === undefined) return undefined
    const entries = body.split(',').map((field) => field.split('=').map((part) => part.trim()))
    const value: Record<string, unknown> = {}
    for (const [name, text] of entries) {
      const parsed = text !== undefined && Object.hasOwn(algorithmFields, name) ? algorithmFields[name as keyof DotAlgorithm](text) : undefined
      if (parsed === undefined || name in value) return undefined
      value[name] = parsed
    }
    return entries.length === algorithmNames.length ? (value as unknown as DotAlgorithm) : undefined
  },
} satisfies AttributeCodec<DotAlgorithm>)

/** `, batching_dims = [0] x [0], contracting_dims = [2] x [1]`; the batching part is left out when it is empty. */
export const dimensionNumbersPiece: Piece = {
  covers: ['dot_dimension_numbers'],
  print: (operation, printer) => {
    const numbers: DotDimensionNumbers = operation.attributes.dot_dimension_numbers
    const pair = (a: readonly number[], b: readonly number[]) => `[${a.join(', ')}] x [${b.join(', ')}]`
    if (numbers.lhs_batching_dimensions.length || numbers.rhs_batching_dimensions.length)
      printer.text(`, batching_dims = ${pair(numbers.lhs_batching_dimensions, numbers.rhs_batching_dimensions)}`)
    printer.text(`, contracting_dims = ${pair(numbers.lhs_contracting_dimensions, numbers.rhs_contracting_dimensions)}`)
  },
  parse: (parser, state) => {
    const pair = (): [number[], number[]] => {
      parser.expect('=')
      const lhs = parseIntegerList(parser)
      parser.expect('x')
      return [lhs, parseIntegerList(parser)]
    }
    parser.expect(',')
    let batching: [number[], number[]] = [[], []]
    if (parser.accept('batching_dims')) {
      batching = pair()
      parser.expect(',')
    }
    parser.expect('contracting_dims')
    const contracting = pair()
    state.attributes.dot_dimension_numbers = {
      kind: 'dialect',
      text: dotDimensionNumbers.print({
        lhs_batching_dimensions: batching[0],
        rhs_batching_dimensions: batching[1],
        lhs_contracting_dimensions: contracting[0],
        rhs_contracting_dimensions: contracting[1],
      }),
    }
  },
}

/** `, precision = [DEFAULT, DEFAULT]`, and `, algorithm = <...>` where the op has it; each only if it is set. */
export const precisionPiece = (options: { algorithm: boolean }): Piece => ({
  covers: options.algorithm ? ['precision_config', 'algorithm'] : ['precision_config'],
  print: (operation, printer) => {
    const { precision_config: config, algorithm } = operation.attributes
    if (config?.length) printer.text(`, precision = [${config.join(', ')}]`)
    if (options.algorithm && algorithm) printer.text(`, algorithm = ${algorithmText(algorithm)}`)
  },
  parse: (parser, state) => {
    while (parser.accept(',')) {
      if (options.algorithm && parser.accept('algorithm')) {
        parser.expect('=')
        state.attributes.algorithm = parseAlgorithm(parser)
      } else {
        parser.expect('precision')
        parser.expect('=')
        state.attributes.precision_config = parsePrecisions(parser)
      }
    }
  },
})

function parsePrecisions(parser: AssemblyParser): Attribute {
  const elements: Attribute[] = []
  parser.expect('[')
  if (!parser.accept(']')) {
    do elements.push({ kind: 'dialect', text: `#stablehlo<precision ${parser.identifier('a precision')}>` })
    while (parser.accept(','))
    parser.expect(']')
  }
  return { kind: 'array', elements }
}

function parseAlgorithm(parser: AssemblyParser): Attribute {
  const fields = algorithmNames.map((name, i) => {
    parser.expect(i ? ',' : '<')
    parser.expect(name)
    parser.expect('=')
    return `${name} = ${name.endsWith('count') || name === 'num_primitive_operations' ? parser.integer() : parser.identifier('a value')}`
  })
  parser.expect('>')
  return { kind: 'dialect', text: `#stablehlo.dot_algorithm<${fields.join(', ')}>` }
}

/** What is wrong with an algorithm, and the rule that says so. */
export function algorithmFault(algorithm: DotAlgorithm): { readonly detail: string; readonly rule: string } | undefined {
  const { lhs_component_count: lhs, rhs_component_count: rhs, num_primitive_operations: operations } = algorithm
  if (lhs <= 0) return { detail: `lhs component count must be positive, got ${lhs}`, rule: 'dot_general_c22' }
  if (rhs <= 0) return { detail: `rhs component count must be positive, got ${rhs}`, rule: 'dot_general_c23' }
  if (operations <= 0) return { detail: `num primitive operations must be positive, got ${operations}`, rule: 'dot_general_c24' }
  if (isKnownAlgorithm(algorithm)) return undefined
  const detail =
    `dot algorithm not known to be supported on any hardware: {lhs:'${algorithm.lhs_precision_type}', rhs:'${algorithm.rhs_precision_type}', ` +
    `accum:'${algorithm.accumulation_type}', lhs_components:${lhs}, rhs_components:${rhs}, primitive_ops:${operations}, ` +
    `imprecise:${algorithm.allow_imprecise_accumulation ? 1 : 0}}`
  return { detail, rule: 'dot_general_i10' }
}

/** Whether some hardware has the algorithm. Source: StableHLO, the algorithms that its verifier knows. */
function isKnownAlgorithm(algorithm: DotAlgorithm): boolean {
  const { lhs_precision_type: lhs, rhs_precision_type: rhs, accumulation_type: sum, num_primitive_operations: passes } = algorithm
  if (algorithm.lhs_component_count !== 1 || algorithm.rhs_component_count !== 1) return false
  if (/^f8/i.test(lhs) && /^f8/i.test(rhs)) return sum === 'f32' && passes === 1
  if (algorithm.allow_imprecise_accumulation || lhs !== rhs) return false
  switch (lhs) {
    case 'f16':
      return (sum === 'f16' || sum === 'f32') && passes === 1
    case 'bf16':
      return (sum === 'bf16' && passes === 1) || (sum === 'f32' && [1, 3, 6, 9].includes(passes))
    case 'tf32':
      return sum === 'f32' && (passes === 1 || passes === 3)
    case 'f32':
    case 'f64':
      return sum === lhs && passes === 1
    default:
      return false
  }
}
