import { EngramError } from '../ir/errors.ts'
import type { Module } from '../ir/module.ts'
import type { InferContext } from '../ir/op-definition.ts'

/** Meshes of devices that collective ops name their groups by: `sdy.mesh @mesh = <["x"=2, "y"=4]>`. Source: Shardy, "mesh". */

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
  const text = module && declaration(module, mesh)
  const unknown = (what: string): never => {
    throw new EngramError(`replica_groups: ${what}`, { code: 'UNKNOWN_MESH' })
  }
  if (axes.length === 0) unknown(`the axes of mesh @${mesh} are written in a way that is not known`)
  if (!text) return unknown(`the module does not say which devices mesh @${mesh} has (sdy.mesh @${mesh} = <["x"=2]>)`)
  const sizes = [...text.matchAll(/"([^"]+)"\s*=\s*(\d+)/g)].map(([, name, size]) => ({ name, size: Number(size) }))
  const ids = /device_ids\s*=\s*\[([^\]]*)\]/.exec(text)?.[1].split(',').map(Number)
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
  return positions(kept).map((start) => members.map((offset) => ids?.[start + offset] ?? start + offset))
}
