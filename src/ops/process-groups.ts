import { quote, symbolText } from '../ir/attributes.ts'
import { DenseElements } from '../ir/dense.ts'
import { EngramError } from '../ir/errors.ts'
import { HostArray } from '../ir/host-array.ts'
import type { Module } from '../ir/module.ts'
import type { AttributeCodec, InferContext } from '../ir/op-definition.ts'
import { type ProcessPlace, processNumber } from '../ir/steps.ts'
import { elementCount } from '../ir/types.ts'
import { type MeshAxes, checkMesh, meshGroups } from './mesh.ts'

/**
 * Which processes a collective op brings together: its attributes, their rules, and the four ways of reading them on a grid of
 * replicas and partitions. Source: specification, "Process groups".
 */

type Fail = InferContext<unknown>['fail']

/** A matrix of ids, one group a row, where -1 fills up short rows; or axes of a mesh. */
export type ReplicaGroups = DenseElements | MeshAxes

const isMesh = (groups: ReplicaGroups): groups is MeshAxes => 'mesh' in groups

/** `dense<[[0, 1]]> : tensor<1x2xi64>` or `#stablehlo.replica_group_mesh_axes<mesh = @m, axes = [#stablehlo.axis_ref<name = "x">]>`. */
export const replicaGroups: AttributeCodec<ReplicaGroups> = {
  expected: '64-bit signless integer elements attribute or replica_group_mesh_axes attribute',
  print: (groups) => {
    if (!isMesh(groups)) return groups.text()
    if (groups.text !== undefined) return groups.text
    const axes = groups.axes.map(({ name, subAxis }) => {
      const sub = subAxis ? `, sub_axis_info = #stablehlo.sub_axis_info<pre_size = ${subAxis.preSize}, size = ${subAxis.size}>` : ''
      return `#stablehlo.axis_ref<name = ${quote(name)}${sub}>`
    })
    return `#stablehlo.replica_group_mesh_axes<mesh = @${symbolText(groups.mesh)}, axes = [${axes.join(', ')}]>`
  },
  parse: (attribute) => {
    if (attribute.kind === 'dense') return attribute.value.type.dtype === 'i64' ? attribute.value : undefined
    if (attribute.kind !== 'dialect') return undefined
    const outer = /^#stablehlo\.replica_group_mesh_axes<\s*mesh\s*=\s*@("[^"]*"|[\w$.]+)\s*,\s*axes\s*=\s*\[([\s\S]*)\]\s*>$/.exec(attribute.text)
    if (!outer) return undefined
    const mesh = outer[1].replaceAll('"', '')
    const axis = /\s*#stablehlo\.axis_ref<\s*name\s*=\s*"([^"]*)"(?:\s*,\s*sub_axis_info\s*=\s*(?:#stablehlo\.sub_axis_info<\s*pre_size\s*=\s*(\d+)\s*,\s*size\s*=\s*(\d+)\s*>|\((\d+)\)(\d+)))?\s*>\s*(?:,|$)/y
    const axes: { name: string; subAxis?: { preSize: number; size: number } }[] = []
    while (axis.lastIndex < outer[2].length) {
      const match = axis.exec(outer[2])
      if (!match) return { mesh, axes: [], text: attribute.text }
      const [preSize, size] = [match[2] ?? match[4], match[3] ?? match[5]]
      axes.push(size === undefined ? { name: match[1] } : { name: match[1], subAxis: { preSize: Number(preSize), size: Number(size) } })
    }
    return { mesh, axes }
  },
}

export interface ChannelHandle {
  /** The channel's id; positive ids bring partitions together. */
  readonly handle: number
  /** 1 between devices, 2 from device to host, 3 from host to device; 0 if nothing is said. */
  readonly type: number
}

/** `#stablehlo.channel_handle<handle = 1, type = 0>` */
export const channelHandle: AttributeCodec<ChannelHandle> = {
  expected: 'two 64-bit integers \'handle\' and \'type\'',
  print: ({ handle, type }) => `#stablehlo.channel_handle<handle = ${handle}, type = ${type}>`,
  parse: (attribute) => {
    if (attribute.kind !== 'dialect') return undefined
    const body = /^#stablehlo\.channel_handle<([^<>]*)>$/.exec(attribute.text)?.[1]
    const fields = new Map((body ?? '').split(',').map((field) => [field.split('=')[0].trim(), field.split('=')[1]?.trim()]))
    const [handle, type] = [fields.get('handle'), fields.get('type')]
    if (fields.size !== 2 || !/^-?\d+$/.test(handle ?? '') || !/^-?\d+$/.test(type ?? '')) return undefined
    return { handle: Number(handle), type: Number(type) }
  },
}

/** A matrix of ids as the attribute has it; short rows are filled up with -1. */
export function groupsAttribute(groups: readonly (readonly number[])[]): DenseElements {
  const width = Math.max(0, ...groups.map((group) => group.length))
  const rows = groups.flatMap((group) => [...group, ...Array.from({ length: width - group.length }, () => -1)])
  return DenseElements.of(HostArray.of('i64', [groups.length, width], rows))
}

/** The rows of a matrix of ids. */
export function rowsOf(matrix: DenseElements): number[][] {
  const [rows, columns] = matrix.type.shape
  const flat = Array.from(matrix.toArray().data as BigInt64Array, Number)
  return Array.from({ length: rows }, (_, i) => flat.slice(i * columns, (i + 1) * columns))
}

/** Ids of constraints, of one op. */
export interface GroupRules {
  readonly rank: string
  readonly unique: string
  readonly covered: string
  readonly size?: string
}

/** Most ids that an attribute lists; more are a mistake, or meant to exhaust the memory. */
const mostIds = 10_000_000

/** Checks replica groups as the text has them; how many processes there are is known only when the program runs. */
export function checkGroups(
  groups: ReplicaGroups,
  options: { readonly sameSize: boolean; readonly global?: boolean; readonly groupSize?: number; readonly rules: GroupRules },
  { fail, module }: Pick<InferContext<unknown>, 'fail' | 'module'>,
): void {
  const { sameSize, global, groupSize, rules } = options
  if (isMesh(groups)) return checkMesh(groups, module, fail)
  const { shape } = groups.type
  if (shape.length !== 2) fail(`replica groups should be a rank 2 tensor, got rank ${shape.length}`, rules.rank)
  const count = elementCount(shape)
  if (count > mostIds) fail(`replica groups list ${count} ids, more than ${mostIds}`, rules.rank)
  if (global && count === 0) fail('if `use_global_device_ids` is set, the replica groups cannot be empty', rules.covered)
  const seen = new Set<number>()
  for (const id of rowsOf(groups).flat()) {
    if (id === -1) {
      if (!sameSize) continue
      fail('Invalid replica id -1: all groups must have the same size', rules.covered)
    }
    if (seen.has(id)) fail(`replica id #${id} seen more than once`, rules.unique)
    seen.add(id)
  }
  for (let id = 0; id < seen.size; id++) if (!seen.has(id)) fail(`replica id #${id} not seen in replica groups`, rules.covered)
  if (groupSize !== undefined && shape[1] !== groupSize) fail(`group size of replica_groups must be ${groupSize}, it is ${shape[1]}`, rules.size)
}

/** Checks groups that need not have everyone: ids are not negative and stand once. */
export function checkSomeGroups(groups: ReplicaGroups, rules: GroupRules, { fail, module }: Pick<InferContext<unknown>, 'fail' | 'module'>): void {
  if (isMesh(groups)) return checkMesh(groups, module, fail)
  const { shape } = groups.type
  if (shape.length !== 2) fail(`replica groups should be a rank 2 tensor, but instead it is of rank ${shape.length}`, rules.rank)
  if (elementCount(shape) > mostIds) fail(`replica groups list ${elementCount(shape)} ids, more than ${mostIds}`, rules.rank)
  const seen = new Set<number>()
  for (const id of rowsOf(groups).flat()) {
    if (id < 0) fail(`replica_groups values must be positive, but was given ${id}`, rules.covered)
    if (seen.has(id)) fail(`replica id #${id} seen more than once`, rules.unique)
    seen.add(id)
  }
}

/** Checks pairs of source and target: shape, no negative ids, no source and no target twice. */
export function checkPairs(pairs: DenseElements, rules: { shape: string; sources: string; targets: string; range: string }, fail: Fail): void {
  const { shape } = pairs.type
  if (shape.length !== 2) fail(`expect source_target_pairs attribute to be of rank 2, but got rank ${shape.length}`, rules.shape)
  if (shape[1] !== 2) fail(`expect source_target_pairs attribute of shape (N, 2), but got (${shape.join(', ')})`, rules.shape)
  if (elementCount(shape) > mostIds) fail(`source_target_pairs has ${shape[0]} pairs, more than ${mostIds / 2}`, rules.shape)
  const [sources, targets] = [new Set<number>(), new Set<number>()]
  for (const [source, target] of rowsOf(pairs)) {
    if (source < 0 || target < 0) fail(`replica ids in source_target_pairs must be >= 0, got ${Math.min(source, target)}`, rules.range)
    if (sources.has(source)) fail(`duplicate sources not allowed: ${source}`, rules.sources)
    if (targets.has(target)) fail(`duplicate targets not allowed: ${target}`, rules.targets)
    sources.add(source)
    targets.add(target)
  }
}

/** How ids name processes. */
export type Grouping = 'cross_replica' | 'cross_partition' | 'cross_replica_and_partition' | 'flattened_ids'

/** How the reductions and `all_gather` group: by channel and by whether ids count all devices. */
export const groupingOf = (channel: number, global: boolean): Grouping =>
  global ? 'flattened_ids' : channel > 0 ? 'cross_replica_and_partition' : 'cross_replica'

/** How ops that move whole values group: replicas, or partitions if there is a channel. */
export const plainGrouping = (channel: number): Grouping => (channel > 0 ? 'cross_partition' : 'cross_replica')

/**
 * The group of processes, by number and in order, to which `place` belongs; undefined if it belongs to none. Without any groups
 * everyone is in one. Throws `EngramError` if an id names no process.
 */
export function groupOf(groups: ReplicaGroups, grouping: Grouping, place: ProcessPlace, module: Module | undefined, op: string): number[] | undefined {
  const rows = isMesh(groups) ? meshGroups(groups, module) : rowsOf(groups)
  const { replicas, partitions } = place
  const limit = { cross_replica: replicas, cross_partition: partitions, cross_replica_and_partition: replicas, flattened_ids: replicas * partitions }[grouping]
  const all = rows.flat().length === 0 ? [Array.from({ length: limit }, (_, id) => id)] : rows
  const own = { cross_replica: place.replica, cross_partition: place.partition, cross_replica_and_partition: place.replica, flattened_ids: processNumber(place) }[grouping]
  const row = all.find((ids) => ids.includes(own))?.filter((id) => id !== -1)
  if (!row) return undefined
  for (const id of row)
    if (id >= limit)
      throw new EngramError(
        `${op}: ${grouping} names ${id}, but the program runs on ${replicas} ${replicas === 1 ? 'replica' : 'replicas'} of ${partitions} ` +
          `${partitions === 1 ? 'partition' : 'partitions'}: give it a grid of processes with interpretParallel`,
        { code: 'MISSING_PROCESS' },
      )
  const number = (replica: number, partition: number) => replica * partitions + partition
  switch (grouping) {
    case 'cross_replica':
      return row.map((id) => number(id, place.partition))
    case 'cross_partition':
      return row.map((id) => number(place.replica, id))
    case 'cross_replica_and_partition':
      return Array.from({ length: partitions }, (_, partition) => row.map((id) => number(id, partition))).flat()
    case 'flattened_ids':
      return row
  }
}
