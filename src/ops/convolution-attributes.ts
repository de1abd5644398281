import type { AssemblyParser } from '../ir/assembly.ts'
import { DenseElements } from '../ir/dense.ts'
import { HostArray } from '../ir/host-array.ts'
import type { AttributeCodec, AttributesOf } from '../ir/op-definition.ts'
import { type Piece, integerListAttribute, parseIntegerList } from './assembly.ts'
import * as codec from './codecs.ts'
import { precisionConfig } from './dot-attributes.ts'

/** Attributes of convolutions and how they are written. Source: specification, "convolution". */

/** Which axis is what in the three tensors; spatial axes go together in order. */
export interface ConvolutionNumbers {
  readonly input_batch_dimension: number
  readonly input_feature_dimension: number
  readonly input_spatial_dimensions: readonly number[]
  readonly kernel_input_feature_dimension: number
  readonly kernel_output_feature_dimension: number
  readonly kernel_spatial_dimensions: readonly number[]
  readonly output_batch_dimension: number
  readonly output_feature_dimension: number
  readonly output_spatial_dimensions: readonly number[]
}
type NumberField = { [K in keyof ConvolutionNumbers]: ConvolutionNumbers[K] extends number ? K : never }[keyof ConvolutionNumbers]
type ListField = Exclude<keyof ConvolutionNumbers, NumberField>

/** One tensor's part of `[b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f]`: its two letters and where its spatial axes are kept. */
interface Part {
  readonly letters: readonly (readonly [string, NumberField])[]
  readonly spatial: ListField
}
const parts: readonly [Part, Part, Part] = [
  { letters: [['b', 'input_batch_dimension'], ['f', 'input_feature_dimension']], spatial: 'input_spatial_dimensions' },
  { letters: [['i', 'kernel_input_feature_dimension'], ['o', 'kernel_output_feature_dimension']], spatial: 'kernel_spatial_dimensions' },
  { letters: [['b', 'output_batch_dimension'], ['f', 'output_feature_dimension']], spatial: 'output_spatial_dimensions' },
]
const fields = parts.flatMap(({ letters, spatial }) => [...letters.map(([, field]) => field), spatial])

/** `[b, 0, 1, f]`; axes that mean nothing are `?`. */
function partText(numbers: ConvolutionNumbers, { letters, spatial }: Part): string {
  const words: string[] = []
  for (const [letter, field] of letters) words[numbers[field]] = letter
  numbers[spatial].forEach((axis, i) => (words[axis] = String(i)))
  return `[${Array.from(words, (word) => word ?? '?').join(', ')}]`
}

const numbersText = (numbers: ConvolutionNumbers): string => {
  const [input, kernel, output] = parts.map((part) => partText(numbers, part))
  return `${input}x${kernel}->${output}`
}

/** Whether `[b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f]` says all that there is: every axis of a part has one meaning. */
export function isPlain(numbers: ConvolutionNumbers): boolean {
  return parts.every(({ letters, spatial }) => {
    const axes = [...letters.map(([, field]) => numbers[field]), ...numbers[spatial]]
    return new Set(axes).size === axes.length && axes.every((axis) => axis >= 0)
  })
}

const rawText = (numbers: ConvolutionNumbers): string =>
  `#stablehlo.conv<raw ${fields.map((field) => {
    const value = numbers[field]
    return `${field} = ${typeof value === 'number' ? value : `[${value.join(', ')}]`}`
  }).join(', ')}>`

/** The words of one part as numbers; undefined if they are not a part. */
function readPart(words: readonly string[], { letters, spatial }: Part): Partial<ConvolutionNumbers> | undefined {
  const axes: number[] = []
  const result: Partial<Record<keyof ConvolutionNumbers, number | number[]>> = { [spatial]: axes }
  for (let axis = 0; axis < words.length; axis++) {
    const word = words[axis]
    if (word === '?') continue
    const letter = letters.find(([name]) => name === word)
    if (letter && result[letter[1]] === undefined) result[letter[1]] = axis
    else if (/^\d+$/.test(word) && axes[Number(word)] === undefined) axes[Number(word)] = axis
    else return undefined
  }
  const complete = letters.every(([, field]) => result[field] !== undefined) && !Array.from(axes).includes(undefined as never)
  return complete ? (result as Partial<ConvolutionNumbers>) : undefined
}

function readPretty(body: string): ConvolutionNumbers | undefined {
  const match = /^\s*\[([^\]]*)\]\s*x\s*\[([^\]]*)\]\s*->\s*\[([^\]]*)\]\s*$/.exec(body)
  if (!match) return undefined
  const read = parts.map((part, i) => readPart(match[i + 1].trim() ? match[i + 1].split(',').map((word) => word.trim()) : [], part))
  return read.includes(undefined) ? undefined : (Object.assign({}, ...read) as ConvolutionNumbers)
}

function readRaw(body: string): ConvolutionNumbers | undefined {
  const value: Record<string, number | number[]> = {}
  for (const { spatial } of parts) value[spatial] = []
  const field = /\s*(\w+)\s*=\s*(?:\[([^\]]*)\]|(-?\d+))\s*(,|$)/y
  while (field.lastIndex < body.trimEnd().length) {
    const match = field.exec(body)
    const name = match?.[1] as keyof ConvolutionNumbers | undefined
    if (!match || !name || !fields.includes(name) || (match[2] !== undefined) !== name.endsWith('dimensions')) return undefined
    value[name] = match[2] === undefined ? Number(match[3]) : match[2].trim() ? match[2].split(',').map(Number) : []
  }
  return fields.every((name) => value[name] !== undefined) ? (value as unknown as ConvolutionNumbers) : undefined
}

export const convolutionNumbers: AttributeCodec<ConvolutionNumbers> = {
  expected: '#stablehlo.conv<[b, 0, f]x[0, i, o]->[b, 0, f]>',
  print: (numbers) => (isPlain(numbers) ? `#stablehlo.conv<${numbersText(numbers)}>` : rawText(numbers)),
  parse: (attribute) => {
    const match = attribute.kind === 'dialect' ? /^#stablehlo\.conv<(raw\b)?([\s\S]*)>$/.exec(attribute.text) : null
    if (!match) return undefined
    return match[1] ? readRaw(match[2]) : readPretty(match[2])
  },
}

/** Rows of low and high padding, one per spatial axis. */
const padding: AttributeCodec<readonly (readonly number[])[]> = {
  ...codec.i64Matrix,
  print: (rows) => (rows.length ? codec.i64Matrix.print(rows) : 'dense<> : tensor<0x2xi64>'),
}

export const convolutionAttributes = {
  window_strides: codec.optional(codec.i64Array),
  padding: codec.optional(padding),
  lhs_dilation: codec.optional(codec.i64Array),
  rhs_dilation: codec.optional(codec.i64Array),
  window_reversal: codec.optional(codec.boolArray),
  dimension_numbers: convolutionNumbers,
  batch_group_count: codec.positive,
  feature_group_count: codec.positive,
  precision_config: precisionConfig,
} as const
export type ConvolutionAttributes = AttributesOf<typeof convolutionAttributes>

/** `(%lhs, %rhs)` */
export const operandsInParentheses: Piece = {
  print: (operation, printer) => {
    printer.text('(')
    printer.values(operation.operands)
    printer.text(')')
  },
  parse: (parser, state) => {
    parser.expect('(')
    if (parser.accept(')')) return
    state.references = parser.operands()
    parser.expect(')')
  },
}

/** ` dim_numbers = [b, 0, f]x[0, i, o]->[b, 0, f]` */
export const numbersPiece: Piece = {
  covers: ['dimension_numbers'],
  print: (operation, printer) => printer.text(` dim_numbers = ${numbersText(operation.attributes.dimension_numbers)}`),
  parse: (parser, state) => {
    parser.expect('dim_numbers')
    parser.expect('=')
    const texts = parts.map((part, i) => {
      if (i) parser.expect(i === 1 ? 'x' : '->')
      return parsePart(parser, part)
    })
    state.attributes.dimension_numbers = { kind: 'dialect', text: `#stablehlo.conv<${texts[0]}x${texts[1]}->${texts[2]}>` }
  },
}

/** Reads `[b, 0, 1, f]` and checks that every letter is there once, and the spatial axes from 0 on. */
function parsePart(parser: AssemblyParser, { letters }: Part): string {
  const missing = new Set(letters.map(([letter]) => letter))
  const spatial = new Set<bigint>()
  const words: string[] = []
  parser.expect('[')
  if (!parser.accept(']')) {
    do {
      const letter = [...missing].find((name) => parser.accept(name))
      if (letter !== undefined) {
        missing.delete(letter)
        words.push(letter)
      } else if (parser.accept('?')) words.push('?')
      else {
        const axis = parser.integer(`Unexpected dimension, expecting ${[...missing, 'a spatial dimension'].join(', ')}`)
        if (axis < 0n) parser.fail(`Unexpected dimension ${axis}`)
        if (spatial.has(axis)) parser.fail(`Duplicate entries for spatial dimension ${axis}`)
        spatial.add(axis)
        words.push(String(axis))
      }
    } while (parser.accept(','))
    parser.expect(']')
  }
  if (missing.size) parser.fail(`Expected dimensions ${[...missing].join(', ')} not specified`)
  for (let axis = 0; axis < spatial.size; axis++) if (!spatial.has(BigInt(axis))) parser.fail(`Expected spatial dimensions ${axis} not specified`)
  return `[${words.join(', ')}]`
}

const windowWords = [
  ['stride', 'window_strides'],
  ['pad', 'padding'],
  ['lhs_dilate', 'lhs_dilation'],
  ['rhs_dilate', 'rhs_dilation'],
  ['reverse', 'window_reversal'],
] as const

/** `, window = {stride = [1, 1], pad = [[0, 1], [0, 1]]}` of those that are set. */
export const windowPiece: Piece = {
  covers: windowWords.map(([, attribute]) => attribute),
  print: (operation, printer) => {
    const written = windowWords.flatMap(([label, attribute]) => {
      const value = operation.attributes[attribute] as readonly (number | boolean | readonly number[])[] | undefined
      return value ? [`${label} = [${value.map((item) => (Array.isArray(item) ? `[${item.join(', ')}]` : String(item))).join(', ')}]`] : []
    })
    printer.text(`, window = {${written.join(', ')}}`)
  },
  parse: (parser, state) => {
    parser.expect(',')
    parser.expect('window')
    parser.expect('=')
    parser.expect('{')
    if (parser.accept('}')) return
    do parseWindowEntry(parser, state.attributes)
    while (parser.accept(','))
    parser.expect('}')
  },
}

function parseWindowEntry(parser: AssemblyParser, attributes: Parameters<Piece['parse']>[1]['attributes']): void {
  const label = parser.identifier(windowWords.map(([word]) => word).join(', '))
  const attribute = windowWords.find(([word]) => word === label)?.[1]
  if (!attribute || attribute in attributes) return parser.fail(`Unexpected keyword ${label}`)
  parser.expect('=')
  if (attribute === 'padding') {
    const rows = parseList(parser, () => {
      const row = parseIntegerList(parser)
      if (row.length !== 2) parser.fail(`Expected array with 2 elements, got ${row.length} elements instead`)
      return row
    })
    attributes.padding = { kind: 'dense', value: DenseElements.of(HostArray.of('i64', [rows.length, 2], rows.flat())) }
  } else if (attribute === 'window_reversal') {
    const elements = parseList(parser, () => {
      if (parser.accept('true')) return true
      if (parser.accept('false')) return false
      return parser.integer() !== 0n
    })
    attributes[attribute] = { kind: 'denseArray', elementType: 'i1', elements }
  } else attributes[attribute] = integerListAttribute(parseIntegerList(parser))
}

function parseList<T>(parser: AssemblyParser, read: () => T): T[] {
  const list: T[] = []
  parser.expect('[')
  if (parser.accept(']')) return list
  do list.push(read())
  while (parser.accept(','))
  parser.expect(']')
  return list
}
