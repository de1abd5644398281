import { integerAttribute, quote, symbolText } from '../ir/attributes.ts'
import { EngramError, InputError, TraceError } from '../ir/errors.ts'
import type { Module } from '../ir/module.ts'
import type { InferContext } from '../ir/op-definition.ts'
import { currentFrame, uniqueName } from '../trace/frame.ts'

/**
 * Meshes of devices, by which shardings and the groups of collective ops are named: `sdy.mesh @mesh = <["x"=2, "y"=4]>`. Source: Shardy, "mesh".
 */

export interface MeshAxis {
  readonly name: string
  readonly size: number
}

/** A grid of devices with named axes; `mesh` makes one. The last axis runs fastest over the devices. */
export class Mesh {
  readonly axes: readonly MeshAxis[]
  /** The devices in the grid's order, if that is not 0, 1, 2, ... */
  readonly deviceIds: readonly number[] | undefined

  constructor(axes: readonly MeshAxis[], deviceIds?: readonly number[]) {
    this.axes = axes
    this.deviceIds = deviceIds
  }

  /** How many devices it has. */
  get devices(): number {
    return this.axes.reduce((product, { size }) => product * size, 1)
  }

  /** The size of an axis. Throws `InputError` if there is none of that name. */
  size(axis: string): number {
    return this.axes[this.#position(axis)].size
  }

  /** How far apart in the grid's order neighbours along an axis are. Throws `InputError`. */
  stride(axis: string): number {
    return this.axes.slice(this.#position(axis) + 1).reduce((product, { size }) => product * size, 1)
  }

  /** The device at a place of the grid's order. */
  deviceAt(place: number): number {
    return this.deviceIds?.[place] ?? place
  }

  /** Groups of devices that differ along one axis alone, each in the axis's order. Throws `InputError`. */
  groups(axis: string): number[][] {
    const [size, stride] = [this.size(axis), this.stride(axis)]
    const starts = Array.from({ length: this.devices }, (_, place) => place).filter((place) => Math.floor(place / stride) % size === 0)
    return starts.map((start) => Array.from({ length: size }, (_, i) => this.deviceAt(start + i * stride)))
  }

  /** `["x"=2, "y"=4]` */
  get text(): string {
    const ids = this.deviceIds ? `, device_ids=[${this.deviceIds.join(', ')}]` : ''
    return `[${this.axes.map(({ name, size }) => `${quote(name)}=${size}`).join(', ')}]${ids}`
  }

  #position(axis: string): number {
    const at = this.axes.findIndex(({ name }) => name === axis)
    if (at < 0) throw new InputError(`the mesh <${this.text}> has no axis '${axis}'`, 'MESH')
    return at
  }
}

/** A mesh by the sizes of its axes: `mesh({ data: 4, memory: 2 })` has 8 devices. Throws `InputError` for sizes that are no positive integers. */
export function mesh(sizes: Readonly<Record<string, number>>): Mesh {
  const axes = Object.entries(sizes).map(([name, size]) => ({ name, size }))
  if (axes.length === 0) throw new InputError('a mesh needs at least one axis, e.g. mesh({ data: 8 })', 'MESH')
  for (const { name, size } of axes)
    if (!Number.isSafeInteger(size) || size < 1) throw new InputError(`axis '${name}' of the mesh has size ${size}, must be an integer of 1 or more`, 'MESH')
  return new Mesh(axes)
}

/** Makes the module under construction a program for the mesh's devices, and gives the mesh's name in it. Throws `TraceError`. */
export function declareMesh(wanted: Mesh): string {
  const { module } = currentFrame()
  const partitions = module.attributes['mhlo.num_partitions']
  if (partitions?.kind === 'integer' && Number(partitions.value) !== wanted.devices)
    throw new TraceError(`a mesh of ${wanted.devices} devices is used in a program for ${partitions.value}: all meshes of a program have the same devices`, 'MESH')
  module.attributes = { ...module.attributes, 'mhlo.num_partitions': integerAttribute(wanted.devices, 'i32'), 'mhlo.num_replicas': integerAttribute(1, 'i32') }
  for (const text of module.foreign) {
    const name = declared.exec(text)
    if (name && readMesh(text).text === wanted.text) return name[1]
  }
  let name = uniqueName(module, 'mesh')
  for (let i = 0; declaration(module, name); i++) name = uniqueName(module, `mesh_${i}`)
  module.foreign.push(`sdy.mesh @${symbolText(name)} = <${wanted.text}>`)
  return name
}

/** The mesh that a symbol names, if the module has it. */
export function findMesh(module: Module | undefined, name: string): Mesh | undefined {
  const text = module && declaration(module, name)
  return text === undefined ? undefined : readMesh(text)
}

const declared = /^sdy\.mesh\s+(?:\w+\s+)?@"?([^"\s=]+)"?\s*=/

function readMesh(text: string): Mesh {
  const ids = /device_ids\s*=\s*\[([^\]]*)\]/.exec(text)?.[1].split(',').map(Number)
  return new Mesh([...text.matchAll(/"([^"]+)"\s*=\s*(\d+)/g)].map(([, name, size]) => ({ name, size: Number(size) })), ids)
}

/** Axes of a mesh of devices in place of lists of them. */
export interface MeshAxes {
  readonly mesh: string
  readonly axes: readonly { readonly name: string; readonly subAxis?: { readonly preSize: number; readonly size: number } }[]
  /** The whole attribute, where its axes are written in a way that is not known here. */
  readonly text?: string
}

/** The line that declares a mesh, which the module keeps as text. */
const declaration = (module: Module, name: string): string | undefined =>
  module.foreign.find((text) => new RegExp(`^sdy\\.mesh\\s+(?:\\w+\\s+)?@"?${name.replace(/[$.]/g, '\\$&')}"?\\s*=`).test(text))

/** Checks that the symbol of the mesh names something, if the module is known. */
export function checkMesh({ mesh }: MeshAxes, module: Module | undefined, fail: InferContext<unknown>['fail']): void {
  if (module && !module.find(mesh) && !declaration(module, mesh)) fail(`replica_groups: mesh symbol '${mesh}' not found`)
}

/**
 * Groups of devices that differ along the named axes only, with the devices of a group in the order of the axes. Throws
 * `EngramError` if the module does not say what the mesh is.
 */
export function meshGroups({ mesh, axes }: MeshAxes, module: Module | undefined): number[][] {
  const found = findMesh(module, mesh)
  const unknown = (what: string): never => {
    throw new EngramError(`replica_groups: ${what}`, { code: 'UNKNOWN_MESH' })
  }
  if (axes.length === 0) unknown(`the axes of mesh @${mesh} are written in a way that is not known`)
  if (!found) return unknown(`the module does not say which devices mesh @${mesh} has (sdy.mesh @${mesh} = <["x"=2]>)`)
  const sizes = found.axes
  // Every axis is split into what the groups run over and what they keep.
  const parts: { size: number; grouped: number }[] = []
  for (const { name, size } of sizes) {
    const uses = axes.map((axis, order) => ({ ...axis, order })).filter((axis) => axis.name === name)
      .map(({ subAxis, order }) => ({ pre: subAxis?.preSize ?? 1, size: subAxis?.size ?? size, order })).sort((a, b) => a.pre - b.pre)
    let done = 1
    for (const use of uses) {
      if (use.pre % done !== 0 || size % (use.pre * use.size) !== 0) unknown(`axis "${name}" of mesh @${mesh} has size ${size}, it cannot be split as (${use.pre})${use.size}`)
      parts.push({ size: use.pre / done, grouped: -1 }, { size: use.size, grouped: use.order })
      done = use.pre * use.size
    }
    parts.push({ size: size / done, grouped: -1 })
  }
  for (const { name } of axes) if (!sizes.some((axis) => axis.name === name)) unknown(`mesh @${mesh} has no axis "${name}"`)
  const kept = parts.map((_, i) => i).filter((i) => parts[i].grouped < 0)
  const grouped = parts.map((_, i) => i).filter((i) => parts[i].grouped >= 0).sort((a, b) => parts[a].grouped - parts[b].grouped)
  const positions = (over: readonly number[]): number[] =>
    over.reduce<number[]>((list, part) => {
      const stride = parts.slice(part + 1).reduce((product, { size }) => product * size, 1)
      return list.flatMap((position) => Array.from({ length: parts[part].size }, (_, k) => position + k * stride))
    }, [0])
  const members = positions(grouped)
  return positions(kept).map((start) => members.map((offset) => found.deviceAt(start + offset)))
}
