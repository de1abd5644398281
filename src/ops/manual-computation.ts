import { copyStrided, rowMajorStrides } from '../host/strided.ts'
import type { Assembly, OperandReference } from '../ir/assembly.ts'
import { EngramError } from '../ir/errors.ts'
import { HostArray } from '../ir/host-array.ts'
import { Region, type Tensor, type Value, capturedValues } from '../ir/module.ts'
import { type TensorType, type Type, sameType, shortTypes } from '../ir/types.ts'
import { emit } from '../trace/emit.ts'
import { currentFrame, currentScope, scope, withFrame } from '../trace/frame.ts'
import { partOf } from './collectives.ts'
import { returnedTypes } from './control-flow.ts'
import { defineOp, notDifferentiable } from './define.ts'
import { type Mesh, declareMesh, findMesh } from './mesh.ts'
import { terminator } from './return.ts'
import { type Placement, checkSharding, globalType, localType, shardingOf } from './sharding.ts'
import { type TensorSharding, axisNamesText, manualAxes, shardingsText, valueShardings } from './sharding-attributes.ts'

/** Programs that say themselves what each device does: inside are each device's own parts of the tensors, and collective ops join them. */

/** Ends the body. */
export const sdyReturnOp = terminator('sdy.return', true)

/** `(%a, %b) in_shardings=[...] out_shardings=[...] manual_axes={"x"} (%arg: type, ...) { ... } : (types) -> types` */
const manualAssembly: Assembly = {
  print: (operation, printer) => {
    const { in_shardings: inputs, out_shardings: outputs, manual_axes: axes } = operation.attributes
    const [body] = operation.regions
    printer.text('(')
    printer.values(operation.operands)
    printer.text(`) in_shardings=${shardingsText(inputs)} out_shardings=${shardingsText(outputs)} manual_axes=${axisNamesText(axes)} (`)
    body.block.arguments.forEach((argument, i) => {
      printer.blockArgument(argument)
      printer.text(i ? ', ' : '')
      printer.value(argument)
      printer.text(': ')
      printer.type(argument.type)
    })
    printer.text(') ')
    printer.region(body, { bare: true })
    printer.attributes(operation, ['in_shardings', 'out_shardings', 'manual_axes'])
    printer.text(' : ')
    printer.functionType(operation.operands.map(({ type }) => type), operation.results.map(({ type }) => type))
  },
  parse: (parser) => {
    parser.expect('(')
    const references = parser.peek(')') ? [] : parser.operands()
    parser.expect(')')
    const text = (keyword: string): string => {
      parser.expect(keyword)
      parser.expect('=')
      return parser.bracketed()
    }
    const attributes = {
      in_shardings: { kind: 'dialect', text: `#sdy.sharding_per_value<${text('in_shardings')}>` },
      out_shardings: { kind: 'dialect', text: `#sdy.sharding_per_value<${text('out_shardings')}>` },
      manual_axes: { kind: 'dialect', text: `#sdy<manual_axes${text('manual_axes')}>` },
    } as const
    const bare: { name: OperandReference; type: Type }[] = []
    parser.expect('(')
    if (!parser.accept(')')) {
      do {
        const name = parser.operand()
        parser.expect(':')
        bare.push({ name, type: parser.type() })
      } while (parser.accept(','))
      parser.expect(')')
    }
    const body = parser.region(bare)
    const discardable = parser.attributes()
    parser.expect(':')
    const { inputs, outputs } = parser.functionType()
    return { operands: parser.resolveAll(references, inputs), results: outputs, attributes: { ...discardable, ...attributes }, regions: [body] }
  },
}

/** The mesh of all the shardings; the op needs at least one to have a mesh at all. */
const meshOf = (shardings: readonly TensorSharding[]): string | undefined => shardings[0]?.mesh

/**
 * The body, run on every device with its parts of the operands as `in_shardings` says; the results are put together from the parts that the devices
 * give, as `out_shardings` says. Axes that are not manual do not split what the body sees. Source: Shardy, `sdy.manual_computation`.
 */
export const manualComputationOp = defineOp({
  name: 'sdy.manual_computation',
  operands: ['tensors...'],
  results: ['results...'],
  regions: ['body'],
  attributes: { in_shardings: valueShardings, out_shardings: valueShardings, manual_axes: manualAxes },
  assembly: manualAssembly,
  infer: ({ operands, attributes, regions: [body], results, module, fail }) => {
    const { in_shardings: inputs, out_shardings: outputs, manual_axes: axes } = attributes
    const returned = returnedTypes(body)
    if (inputs.length !== operands.length) fail(`there are ${operands.length} operands and ${inputs.length} in_shardings`)
    if (outputs.length !== returned.length) fail(`the body returns ${returned.length} values, there are ${outputs.length} out_shardings`)
    if (capturedValues(body).length > 0) fail('the body uses values from outside: pass them in as operands')
    const all = [...inputs, ...outputs]
    if (all.some(({ mesh }) => mesh !== all[0].mesh)) fail('all shardings must be on one mesh')
    inputs.forEach((sharding, i) => checkSharding(sharding, operands[i], module, fail))
    outputs.forEach((sharding, i) => checkSharding(sharding, returned[i], module, fail))
    const mesh = all.length ? findMesh(module, all[0].mesh) : undefined
    if (!mesh) return results ?? (all.length ? fail('needs result types: its mesh is not known') : returned)
    for (const axis of axes) if (!mesh.axes.some(({ name }) => name === axis)) fail(`unknown manual axis "${axis}"`)
    const local = operands.map((type, i) => localType(type, inputs[i], mesh, axes, fail))
    const taken = body.block.arguments.map(({ type }) => type)
    if (local.length !== taken.length || local.some((type, i) => !sameType(type, taken[i]))) fail(`each device has ${shortTypes(local)}, the body takes ${shortTypes(taken)}`)
    const types = returned.map((type, i) => globalType(type, outputs[i], mesh, axes, fail))
    if (results && (results.length !== types.length || results.some((type, i) => !sameType(type, types[i]))))
      fail(`the devices' parts are ${shortTypes(types)} together, the results are ${shortTypes(results)}`)
    return types
  },
  evaluate: ({ arrays, attributes, regions: [body], resultTypes, module, parallel, run }) => {
    const { in_shardings: inputs, out_shardings: outputs, manual_axes: axes } = attributes
    const symbol = meshOf([...inputs, ...outputs])
    if (symbol === undefined) return run(body, arrays)
    const mesh = findMesh(module, symbol)
    if (!mesh) throw new EngramError(`sdy.manual_computation: the module does not say which devices mesh @${symbol} has`, { code: 'UNKNOWN_MESH' })
    // Processes are numbered as devices are; along axes that are not manual all do the same.
    const places = Array.from({ length: mesh.devices }, (_, place) => place).sort((a, b) => mesh.deviceAt(a) - mesh.deviceAt(b))
    const parts = places.flatMap((place) => arrays.map((array, i) => takePart(array, steps(inputs[i], mesh, axes, place))))
    const given = parallel({ programs: [places.map(() => body)], inputs: parts, infeed: [] }) as readonly HostArray[]
    return resultTypes.map((type, i) => {
      const whole = HostArray.zeros((type as TensorType).dtype, (type as TensorType).shape)
      places.forEach((place, process) => putPart(whole, given[process * outputs.length + i], steps(outputs[i], mesh, axes, place)))
      return whole
    })
  },
  vjp: notDifferentiable('differentiate what each device does inside, or before the program is split among devices'),
})

/** Which part of a dimension a device has: the `index`th of `count`, one step after another. */
interface Split {
  readonly dimension: number
  readonly index: number
  readonly count: number
}

function steps({ dimensions }: TensorSharding, mesh: Mesh, manual: readonly string[], place: number): Split[] {
  return dimensions.flatMap(({ axes }, dimension) =>
    axes.filter(({ name }) => manual.includes(name)).map(({ name, sub }) => {
      if (sub) throw new EngramError(`sdy.manual_computation: parts of axes ("${name}":(${sub.preSize})${sub.size}) cannot be interpreted`, { code: 'UNSUPPORTED_SHARDING' })
      return { dimension, index: Math.floor(place / mesh.stride(name)) % mesh.size(name), count: mesh.size(name) }
    }))
}

const takePart = (array: HostArray, splits: readonly Split[]): HostArray =>
  splits.reduce((part, { dimension, index, count }) => partOf(part, dimension, index, count), array)

/** Writes a device's part into its place. */
function putPart(whole: HostArray, part: HostArray, splits: readonly Split[]): void {
  const strides = rowMajorStrides(whole.shape)
  const sizes = [...whole.shape]
  let offset = 0
  for (const { dimension, index, count } of splits) {
    sizes[dimension] /= count
    offset += index * sizes[dimension] * strides[dimension]
  }
  copyStrided(part, 0, rowMajorStrides(part.shape), whole, offset, strides, part.shape)
}

export interface ManualOptions {
  readonly mesh: Mesh
  /** How each input is split, and each output put together. */
  readonly in: readonly Placement[]
  readonly out: readonly Placement[]
  /** The axes that the body knows of; all of the mesh by default. */
  readonly axes?: readonly string[]
}

/**
 * Runs `body` on every device of a mesh, on the device's own parts of the inputs: `manualComputation({ mesh, in: [['data', null]], out: [['data', null]] }, [x],
 * (part) => [...])`. Collective ops (`allGather`, `allReduce`) with `mesh.groups(axis)` join what the devices have. Throws `OpError`, `InputError`.
 */
export function manualComputation(
  { mesh, in: ins, out: outs, axes }: ManualOptions,
  inputs: readonly Tensor[],
  body: (...parts: Tensor[]) => readonly Tensor[],
): Tensor[] {
  const symbol = declareMesh(mesh)
  const manual = axes ?? mesh.axes.map(({ name }) => name)
  const fail = (detail: string): never => {
    throw new EngramError(`manualComputation: ${detail}`, { code: 'MESH' })
  }
  if (ins.length !== inputs.length) fail(`${inputs.length} inputs, and placements for ${ins.length}`)
  const in_shardings = inputs.map((input, i) => shardingOf(mesh, symbol, input.type, ins[i]))
  const local = inputs.map((input, i) => localType(input.type, in_shardings[i], mesh, manual, fail))
  let returned: readonly Value[] = []
  const region = Region.ofBlock(local)
  const [{ module }, scopeName] = [currentFrame(), currentScope()]
  // Without a parent, so that values from outside are refused.
  withFrame({ block: region.block, parent: undefined, constants: new Map(), what: 'body of manualComputation', module }, () => {
    returned = scope(scopeName, () => body(...(region.block.arguments as Tensor[])))
    emit(sdyReturnOp, returned, {})
  })
  if (outs.length !== returned.length) fail(`the body gives ${returned.length} outputs, and there are placements for ${outs.length}`)
  // What the whole result's dimensions are is known only from its parts, so evenness needs no check.
  const out_shardings = returned.map((value, i): TensorSharding => ({
    mesh: symbol,
    dimensions: (value as Tensor).shape.map((_, dimension) => ({ axes: [outs[i][dimension] ?? []].flat().map((name) => ({ name })) })),
  }))
  return [...emit(manualComputationOp, inputs, { in_shardings, out_shardings, manual_axes: manual }, { regions: [region] }).results] as Tensor[]
}
