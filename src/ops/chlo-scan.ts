import { copyStrided, rowMajorStrides } from '../host/strided.ts'
import { HostArray } from '../ir/host-array.ts'
import type { Operation, Region, Tensor } from '../ir/module.ts'
import type { AttributeCodec, InferContext } from '../ir/op-definition.ts'
import type { Assembly } from '../ir/assembly.ts'
import { DYNAMIC, type TensorType, type Type, isTensorType, shortType, tensorType } from '../ir/types.ts'
import { emit } from '../trace/emit.ts'
import { buildRegion } from '../trace/frame.ts'
import * as codec from './codecs.ts'
import { defineOp, notDifferentiable } from './define.ts'
import { compatibleType } from './elementwise-rules.ts'
import { agreeWithInferred } from './inferred-types.ts'
import { withShape } from './result-type.ts'
import { emitReturn } from './return.ts'
import { evaluateSteps, run } from './steps.ts'

/** A loop over the slices of tensors along one axis, as the `chlo` dialect has it. Source: openxla/stablehlo, `ChloOps.td`. */

interface ScanAttributes {
  readonly dimension: number
  readonly is_reverse?: boolean | undefined
  readonly is_associative?: boolean | undefined
  readonly scan_dim_size?: number | undefined
  /** How many operands are inputs and how many initial carries. */
  readonly operandSegmentSizes: readonly number[]
  readonly resultSegmentSizes: readonly number[]
}

const segments: AttributeCodec<readonly number[]> = {
  expected: 'an array of i32',
  print: (value) => (value.length ? `array<i32: ${value.join(', ')}>` : 'array<i32>'),
  parse: (attribute) => (attribute.kind === 'denseArray' && attribute.elementType === 'i32' ? attribute.elements.map(Number) : undefined),
}
const inForm = ['dimension', 'operandSegmentSizes', 'resultSegmentSizes']

/** `(%x) inits (%c) dimension=0 attributes {...} { ... } : (types) -> (types)` */
const scanForm: Assembly = {
  print: (operation, printer) => {
    const { dimension, operandSegmentSizes: [inputs] } = operation.attributes as ScanAttributes
    printer.text('(')
    printer.values(operation.operands.slice(0, inputs))
    printer.text(') inits (')
    printer.values(operation.operands.slice(inputs))
    printer.text(`) dimension=${dimension}`)
    if (hasMore(operation)) {
      printer.text(' attributes')
      printer.attributes(operation, inForm)
    }
    printer.text(' ')
    printer.region(operation.regions[0])
    printer.text(' : ')
    printer.functionType(operation.operands.map(({ type }) => type), operation.results.map(({ type }) => type))
  },
  parse: (parser) => {
    const list = () => {
      parser.expect('(')
      if (parser.accept(')')) return []
      const references = parser.operands()
      parser.expect(')')
      return references
    }
    const inputs = list()
    parser.expect('inits')
    const inits = list()
    parser.expect('dimension')
    parser.expect('=')
    const dimension = parser.integer()
    const attributes = parser.accept('attributes') ? parser.attributes() : {}
    const region = parser.region()
    parser.expect(':')
    const { inputs: types, outputs } = parser.functionType()
    if (types.length !== inputs.length + inits.length) return parser.fail('operand types must match the number of inputs and inits')
    if (outputs.length < inits.length) return parser.fail('not enough result types to cover the required carries')
    const sizes = (first: number) => ({ kind: 'denseArray', elementType: 'i32', elements: [BigInt(first), BigInt(inits.length)] }) as const
    return {
      operands: parser.resolveAll([...inputs, ...inits], types),
      results: outputs,
      attributes: {
        ...attributes,
        dimension: { kind: 'integer', value: dimension, type: 'i64' },
        operandSegmentSizes: sizes(inputs.length),
        resultSegmentSizes: sizes(outputs.length - inits.length),
      },
      regions: [region],
    }
  },
}

function hasMore({ attributes, discardable }: Operation): boolean {
  return Object.keys(attributes).some((name) => !inForm.includes(name) && attributes[name] !== undefined) || Object.keys(discardable ?? {}).length > 0
}

/** A type without one axis. */
const withoutAxis = (type: TensorType, axis: number): TensorType => withShape(type, type.shape.toSpliced(axis, 1), type.bounds?.toSpliced(axis, 1))

function scanTypes({ operands, attributes, regions: [body], results, fail }: InferContext<ScanAttributes>): TensorType[] {
  const { dimension, scan_dim_size: declaredSize, operandSegmentSizes: [inputs, carries] } = attributes
  if (inputs < 0 || carries < 0) fail("'operandSegmentSizes' attribute cannot have negative elements")
  if (inputs + carries !== operands.length) fail(`operandSegmentSizes [${inputs}, ${carries}] do not add up to ${operands.length} operands`)
  const resultCount = results?.length ?? 0
  const segmentSum = attributes.resultSegmentSizes.reduce((sum, size) => sum + size, 0)
  if (results && resultCount !== segmentSum)
    fail(`result count (${resultCount}) does not match with the total size (${segmentSum}) specified in attribute 'resultSegmentSizes'`)
  const { block } = body
  const returned = block.terminator?.operands.map(({ type }) => type) ?? []
  if (returned.length < carries) fail(`ScanOp body must return at least ${carries} values (carries)`)
  const outputs = returned.length - carries
  if (inputs === 0 && outputs === 0) fail('at least one of inputs or outputs must be present')
  let size = declaredSize ?? DYNAMIC
  let bound = DYNAMIC
  const ranked = (type: Type, what: string): TensorType => (isTensorType(type) && !type.unranked ? type : fail(`${what} is not ranked`))
  operands.slice(0, inputs).forEach((type, i) => {
    const input = ranked(type, `operand ${i}`)
    if (dimension < 0 || dimension >= input.shape.length) fail(`scan dimension of operand ${i} is out of bounds: ${dimension} for rank ${input.shape.length}`)
    const own = input.shape[dimension]
    if (own !== DYNAMIC && size !== DYNAMIC && own !== size) fail(`invalid scan dimension size of operand ${i}: ${own}, others have ${size}`)
    if (size === DYNAMIC) size = own
    const limit = input.bounds?.[dimension] ?? DYNAMIC
    if (limit !== DYNAMIC) bound = bound === DYNAMIC ? limit : Math.min(bound, limit)
  })
  if (block.arguments.length !== operands.length) fail(`expects ${operands.length} arguments in the body, but got ${block.arguments.length}`)
  operands.forEach((type, i) => {
    const operand = ranked(type, `operand ${i}`)
    const wanted = i < inputs ? withoutAxis(operand, dimension) : operand
    if (!compatibleType(wanted, block.arguments[i].type)) fail(`operand and body argument ${i} are incompatible`)
  })
  return returned.map((type, i) => {
    const element = ranked(type, `terminator operand ${i}`)
    if (i >= outputs) {
      const init = operands[inputs + i - outputs]
      if (!compatibleType(element, init)) fail(`the body returns ${shortType(element)} for carry ${i - outputs}, whose initial value is ${shortType(init)}`)
      return element
    }
    if (dimension > element.shape.length) fail(`scan dimension is out of bounds for terminator operand ${i}`)
    const limits = element.bounds ?? element.shape.map(() => DYNAMIC)
    return withShape(element, element.shape.toSpliced(dimension, 0, size), limits.toSpliced(dimension, 0, size === DYNAMIC ? bound : DYNAMIC))
  })
}

export const scanOp = defineOp({
  name: 'chlo.scan',
  operands: ['inputs...', 'inits...'],
  results: ['outputs...', 'carries...'],
  regions: ['body'],
  attributes: {
    dimension: codec.i64,
    is_reverse: codec.optional(codec.bool),
    is_associative: codec.optional(codec.bool),
    scan_dim_size: codec.optional(codec.i64),
    operandSegmentSizes: segments,
    resultSegmentSizes: segments,
  },
  assembly: scanForm,
  infer: (context) => agreeWithInferred(scanTypes(context), context.results, context.fail),
  *steps({ arrays, attributes, regions: [body], resultTypes }) {
    const { dimension, is_reverse: backwards, operandSegmentSizes: [inputs] } = attributes
    const size = inputs ? arrays[0].shape[dimension] : (attributes.scan_dim_size ?? 0)
    let carries: readonly HostArray[] = arrays.slice(inputs)
    const outputs = resultTypes.slice(0, resultTypes.length - carries.length).map((type) => {
      const { dtype, shape } = type as TensorType
      return HostArray.zeros(dtype, shape.with(dimension, size))
    })
    for (let step = 0; step < size; step++) {
      const at = backwards ? size - 1 - step : step
      const slices = arrays.slice(0, inputs).map((array) => sliceAt(array, dimension, at))
      const returned = (yield run(body, [...slices, ...carries])) as readonly HostArray[]
      outputs.forEach((output, i) => putAt(output, returned[i], dimension, at))
      carries = returned.slice(outputs.length)
    }
    return [...outputs, ...carries]
  },
  evaluate: evaluateSteps,
  vjp: notDifferentiable('use scan of the library, which is a loop with a gradient'),
})

function sliceAt(array: HostArray, axis: number, at: number): HostArray {
  const strides = rowMajorStrides(array.shape)
  const out = HostArray.zeros(array.dtype, array.shape.toSpliced(axis, 1))
  copyStrided(array, at * strides[axis], strides.toSpliced(axis, 1), out, 0, rowMajorStrides(out.shape), out.shape)
  return out
}

function putAt(array: HostArray, value: HostArray, axis: number, at: number): void {
  const strides = rowMajorStrides(array.shape)
  copyStrided(value, 0, rowMajorStrides(value.shape), array, at * strides[axis], strides.toSpliced(axis, 1), value.shape)
}

/**
 * Emits `chlo.scan`: `body` takes a slice of each input along `axis`, then the carries, and returns the outputs' slices, then the new
 * carries. Gives the outputs, then the last carries. Throws `OpError`.
 */
export function chloScan(
  inputs: readonly Tensor[],
  inits: readonly Tensor[],
  axis: number,
  body: (slices: readonly Tensor[], carries: readonly Tensor[]) => readonly Tensor[],
  options: { readonly reverse?: boolean } = {},
): Tensor[] {
  const types = [...inputs.map(({ dtype, shape }) => tensorType(dtype, shape.toSpliced(axis, 1))), ...inits.map(({ type }) => type)]
  let count = 0
  const region: Region = buildRegion('body of scan', types, (parameters) => {
    const returned = body(parameters.slice(0, inputs.length) as Tensor[], parameters.slice(inputs.length) as Tensor[])
    count = returned.length
    emitReturn(returned)
  })
  const attributes: ScanAttributes = {
    dimension: axis,
    is_reverse: options.reverse,
    operandSegmentSizes: [inputs.length, inits.length],
    resultSegmentSizes: [count - inits.length, inits.length],
  }
  return [...emit(scanOp, [...inputs, ...inits], attributes, { regions: [region] }).results] as Tensor[]
}
