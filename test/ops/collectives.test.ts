import { describe, expect, it } from 'vitest'
import { Module, type Tensor } from '../../src/ir/module.ts'
import { tensorType } from '../../src/ir/types.ts'
import { add } from '../../src/ops/arithmetic.ts'
import { asyncDone, asyncStart } from '../../src/ops/async.ts'
import { allReduce, collectiveReduce, reduceScatter } from '../../src/ops/collective-reductions.ts'
import { allGather, allToAll, collectiveBroadcast, collectivePermute } from '../../src/ops/collectives.ts'
import { compare } from '../../src/ops/compare.ts'
import { meshGroups } from '../../src/ops/mesh.ts'
import { groupOf, groupsAttribute } from '../../src/ops/process-groups.ts'
import { traceError } from '../support/run-ops.ts'

const x = tensorType('f32', [2, 6])
const fails = (build: (x: Tensor) => unknown) => traceError(build, x)

describe('collective ops', () => {
  it('refuse groups that cannot be', () => {
    expect(fails((t) => allReduce(t, add, [[0, 1, 1]]))).toMatchInlineSnapshot(`"all_reduce: replica id #1 seen more than once [all_reduce_c1]"`)
    expect(fails((t) => allReduce(t, add, [[0, 2]]))).toMatchInlineSnapshot(`"all_reduce: replica id #1 not seen in replica groups [all_reduce_c3]"`)
    expect(fails((t) => allGather(t, 0, [[0, 1], [2]]))).toMatchInlineSnapshot(`"all_gather: Invalid replica id -1: all groups must have the same size [all_gather_c4]"`)
    expect(fails((t) => allReduce(t, add, [], { channel: 1, globalIds: true }))).toMatchInlineSnapshot(`"all_reduce: if \`use_global_device_ids\` is set, the replica groups cannot be empty [all_reduce_c3]"`)
    expect(fails((t) => allReduce(t, add, [[0]], { globalIds: true }))).toMatchInlineSnapshot(`"all_reduce: channel_id must be positive when useGlobalDeviceIds is set but got: 0 [all_reduce_c4]"`)
    expect(fails((t) => collectiveBroadcast(t, [[0, -1]]))).toMatchInlineSnapshot(`"collective_broadcast: replica_groups values must be positive, but was given -1 [collective_broadcast_c2]"`)
    expect(fails((t) => collectivePermute(t, [[0, 1], [0, 2]]))).toMatchInlineSnapshot(`"collective_permute: duplicate sources not allowed: 0 [collective_permute_c2]"`)
    expect(fails((t) => collectivePermute(t, [[0, 1], [2, 1]]))).toMatchInlineSnapshot(`"collective_permute: duplicate targets not allowed: 1 [collective_permute_c3]"`)
    expect(fails((t) => collectivePermute(t, [[0, -1]]))).toMatchInlineSnapshot(`"collective_permute: replica ids in source_target_pairs must be >= 0, got -1 [collective_permute_c4]"`)
  })
  it('refuse axes and sizes that do not divide', () => {
    expect(fails((t) => allGather(t, 2, [[0]]))).toMatchInlineSnapshot(`"all_gather: all_gather_dim must be a valid index of operand: it is 2, tensor<2x6xf32> has rank 2 [all_gather_c1]"`)
    expect(fails((t) => allToAll(t, 1, 0, [[0, 1, 2, 3]]))).toMatchInlineSnapshot(`"all_to_all: split dimension has size 6, expected to be a multiple of split_count 4 [all_to_all_c2]"`)
    expect(fails((t) => allToAll(t, 2, 0, [[0, 1]]))).toMatchInlineSnapshot(`"all_to_all: AllToAll split_dimension 2 is out-of-bounds for input rank 2 [all_to_all_c1]"`)
    expect(fails((t) => reduceScatter(t, add, 1, [[0, 1, 2, 3]]))).toMatchInlineSnapshot(`"reduce_scatter: operand scatter dimension has size 6, expected to be a multiple of the group size 4 [reduce_scatter_c8]"`)
    expect(fails((t) => reduceScatter(t, add, -1, [[0]]))).toMatchInlineSnapshot(`"reduce_scatter: scatter dim should be less than operand/result rank: it is -1, tensor<2x6xf32> has rank 2 [reduce_scatter_c2]"`)
  })
  it('refuse regions that do not combine two elements into one', () => {
    expect(fails((t) => collectiveReduce(t, (a, b) => compare(a, b, 'EQ'), [[0]]))).toMatchInlineSnapshot(`"collective_reduce: The type of reduction-region's parameter at index 0 is different than the corresponding result type: 'tensor<f32>' vs 'tensor<i1>' [collective_reduce_c5]"`)
  })
  it('start on their own only if they are one collective or slice', () => {
    expect(fails((t) => asyncStart([t], (y) => add(y, y)))).toMatchInlineSnapshot(`"async_start: region must contain a collective or slice operation"`)
    expect(fails((t) => asyncStart([t], (y) => allGather(allGather(y, 0, [[0]]), 0, [[0]])))).toMatchInlineSnapshot(`"async_start: region must contain exactly one operation and a return"`)
    expect(fails((t) => asyncDone(t))).toMatchInlineSnapshot(`"async_done: operand #0 must be future type, but got 'tensor<2x6xf32>'"`)
  })
})

describe('groups', () => {
  const place = { replica: 1, partition: 0, replicas: 2, partitions: 3 }
  const rows = groupsAttribute([[1, 0]])
  it('keep the order of the ids', () => {
    expect(groupOf(rows, 'cross_replica', place, undefined, 'op')).toEqual([3, 0])
    expect(groupOf(rows, 'cross_partition', place, undefined, 'op')).toEqual([4, 3])
    expect(groupOf(rows, 'cross_replica_and_partition', place, undefined, 'op')).toEqual([3, 0, 4, 1, 5, 2])
    expect(groupOf(rows, 'flattened_ids', place, undefined, 'op')).toBeUndefined()
    expect(groupOf(groupsAttribute([[3, 5], [0, 1], [4]]), 'flattened_ids', place, undefined, 'op')).toEqual([3, 5])
  })
  it('are everyone where there are none', () => {
    expect(groupOf(groupsAttribute([]), 'cross_partition', place, undefined, 'op')).toEqual([3, 4, 5])
  })
  it('come from the axes of a mesh, whole or in part', () => {
    const module = new Module()
    module.foreign.push('sdy.mesh @mesh = <["x"=2, "y"=4]>', 'sdy.mesh @backwards = <["x"=2, "y"=2], device_ids=[3, 2, 1, 0]>')
    expect(meshGroups({ mesh: 'mesh', axes: [{ name: 'x' }] }, module)).toEqual([[0, 4], [1, 5], [2, 6], [3, 7]])
    expect(meshGroups({ mesh: 'mesh', axes: [{ name: 'y' }, { name: 'x' }] }, module)).toEqual([[0, 4, 1, 5, 2, 6, 3, 7]])
    expect(meshGroups({ mesh: 'mesh', axes: [{ name: 'y', subAxis: { preSize: 2, size: 2 } }] }, module)).toEqual([[0, 1], [2, 3], [4, 5], [6, 7]])
    expect(meshGroups({ mesh: 'mesh', axes: [{ name: 'y', subAxis: { preSize: 1, size: 2 } }] }, module)).toEqual([[0, 2], [1, 3], [4, 6], [5, 7]])
    expect(meshGroups({ mesh: 'backwards', axes: [{ name: 'y' }] }, module)).toEqual([[3, 2], [1, 0]])
    expect(() => meshGroups({ mesh: 'mesh', axes: [{ name: 'z' }] }, module)).toThrow('mesh @mesh has no axis "z"')
    expect(() => meshGroups({ mesh: 'other', axes: [{ name: 'x' }] }, module)).toThrow('the module does not say which devices mesh @other has')
  })
})
