import { InputError, TraceError } from '../ir/errors.ts'
import { Func, type Module, type Tensor, resolveAlias } from '../ir/module.ts'
import type { InferContext } from '../ir/op-definition.ts'
import { type Type, isTensorType, shortType, tensorType, typeText } from '../ir/types.ts'
import { emit } from '../trace/emit.ts'
import type { Piece } from './assembly.ts'
import { attributeDictionary, form, operandList, operandTypes } from './assembly.ts'
import { defineOp } from './define.ts'
import { type Mesh, declareMesh, findMesh } from './mesh.ts'
import { type TensorSharding, shardingAttribute, shardingText, tensorSharding } from './sharding-attributes.ts'
import { needTensor } from './result-type.ts'

/** Where tensors lie on a mesh of devices: programs say it in a few places, and XLA's partitioner works out the rest. */

/**
 * For each dimension of a tensor the mesh's axis, or axes, along which it is split, or null for one that is whole on every device:
 * `['data', null]`. Dimensions that are left out are whole.
 */
export type Placement = readonly (string | readonly string[] | null)[]

let ambient: Mesh | undefined

/** Runs `build` with a mesh for `shard`; the old one is current again afterwards, also after an error. */
export function withMesh<R>(mesh: Mesh | undefined, build: () => R): R {
  const before = ambient
  ambient = mesh
  try {
    return build()
  } finally {
    ambient = before
  }
}

/** The mesh that `withMesh` or `lowerWith({ mesh })` gave. Throws `TraceError` if there is none. */
export function currentMesh(): Mesh {
  if (!ambient) throw new TraceError('there is no mesh of devices here: lower with lowerWith({ mesh: mesh({ data: 8 }) }, ...), or use withMesh', 'MESH')
  return ambient
}

/** The sharding of a tensor of a type. Throws `InputError` if the placement does not go with the type or the mesh. */
export function shardingOf(mesh: Mesh, symbol: string, type: Type, placement: Placement): TensorSharding {
  const shape = isTensorType(type) ? type.shape : []
  if (placement.length > shape.length) throw new InputError(`${shortType(type)} has ${shape.length} dimensions, the placement [${placement.join(', ')}] has ${placement.length}`, 'MESH')
  const used = new Set<string>()
  const dimensions = shape.map((size, i) => {
    const axes = placement[i] ?? []
    const names = typeof axes === 'string' ? [axes] : axes
    const parts = names.reduce((product, name) => product * mesh.size(name), 1)
    for (const name of names) {
      if (used.has(name)) throw new InputError(`axis '${name}' of the mesh can split one dimension of ${shortType(type)}, not two`, 'MESH')
      used.add(name)
    }
    if (size % parts !== 0) throw new InputError(`dimension ${i} of ${shortType(type)} cannot be split evenly over ${parts} devices ('${names.join("', '")}'): fill it up to a multiple`, 'MESH')
    return { axes: names.map((name) => ({ name })) }
  })
  return { mesh: symbol, dimensions }
}

/** The tensor that each device of a mesh has, where the dimensions are split along the named axes only. Fails if they cannot be. */
export function localType(type: Type, sharding: TensorSharding, mesh: Mesh, axes: readonly string[], fail: InferContext<unknown>['fail']): Type {
  const { shape, dtype } = needTensor('operand', type, fail)
  return tensorType(dtype, shape.map((size, i) => {
    const parts = partsOf(sharding, i, mesh, axes)
    if (size % parts !== 0) fail(`dimension ${i} of ${shortType(type)} cannot be split evenly over ${parts} devices by ${shardingText(sharding)}`)
    return size / parts
  }))
}

/** The other way round. */
export const globalType = (type: Type, sharding: TensorSharding, mesh: Mesh, axes: readonly string[], fail: InferContext<unknown>['fail']): Type => {
  const { shape, dtype } = needTensor('result', type, fail)
  return tensorType(dtype, shape.map((size, i) => size * partsOf(sharding, i, mesh, axes)))
}

const partsOf = ({ dimensions }: TensorSharding, dimension: number, mesh: Mesh, axes: readonly string[]): number =>
  dimensions[dimension].axes.reduce((product, { name, sub }) => (axes.includes(name) ? product * (sub?.size ?? mesh.size(name)) : product), 1)

/** Fails unless a sharding has a dimension for each of the type's, on axes that its mesh has. Gives the mesh, if the module is known. */
export function checkSharding(sharding: TensorSharding, type: Type, module: Module | undefined, fail: InferContext<unknown>['fail']): Mesh | undefined {
  const { shape } = needTensor('operand', type, fail)
  const text = shardingText(sharding)
  if (sharding.dimensions.length !== shape.length) fail(`sharding ${text} has ${sharding.dimensions.length} dimensions, ${typeText(type)} has ${shape.length}`)
  const mesh = findMesh(module, sharding.mesh)
  if (module && !mesh && !sharding.mesh.startsWith('mesh<')) fail(`unknown mesh: @${sharding.mesh}`)
  for (const { name } of sharding.dimensions.flatMap(({ axes }) => axes))
    if (mesh && !mesh.axes.some((axis) => axis.name === name)) fail(`unknown axis name: "${name}" in ${text}`)
  return mesh
}

/** ` <@mesh, [{"x"}, {}]>` */
const shardingPiece: Piece = {
  covers: ['sharding'],
  print: ({ attributes }, printer) => printer.text(` ${shardingText(attributes.sharding)}`),
  parse: (parser, state) => {
    state.attributes.sharding = { kind: 'dialect', text: `#sdy.sharding${parser.bracketed()}` }
  },
}

/** The operand, which from here on lies on the devices as the attribute says. Source: Shardy, `sdy.sharding_constraint`. */
export const shardingConstraintOp = defineOp({
  name: 'sdy.sharding_constraint',
  operands: ['input'],
  results: ['result'],
  regions: [],
  attributes: { sharding: tensorSharding },
  assembly: form(operandList, shardingPiece, attributeDictionary, operandTypes(true)),
  infer: ({ operands: [input], attributes: { sharding }, module, fail }) => {
    checkSharding(sharding, input, module, fail)
    return [input]
  },
  evaluate: ({ operands }) => operands,
  vjp: ({ cotangents: [d], attributes }) => [d && constrain(d, attributes.sharding)],
})

function constrain(x: Tensor, sharding: TensorSharding): Tensor {
  return emit(shardingConstraintOp, [x], { sharding }).results[0] as Tensor
}

/**
 * Says how a tensor lies on the devices of the current mesh: `shard(x, 'data', null)` splits its first dimension along the axis `data`. For an argument of
 * the program it says how it comes in. The value is the same. Throws `InputError`, `TraceError` without a mesh.
 */
export function shard(x: Tensor, ...placement: Placement): Tensor {
  const mesh = currentMesh()
  const sharding = shardingOf(mesh, declareMesh(mesh), x.type, placement)
  const { block, index, definition } = resolveAlias(x)
  const func = block.region.parent
  if (!definition && func instanceof Func && func.visibility === 'public' && func.argumentAttributes[index]['sdy.sharding'] === undefined) {
    func.argumentAttributes[index] = { ...func.argumentAttributes[index], 'sdy.sharding': shardingAttribute(sharding) }
    return x
  }
  return constrain(x, sharding)
}
