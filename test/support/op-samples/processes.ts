import type { Tensor, Value } from '../../../src/ir/module.ts'
import { tensorType, tokenType } from '../../../src/ir/types.ts'
import { add, multiply, negate } from '../../../src/ops/arithmetic.ts'
import { asyncDone, asyncStart } from '../../../src/ops/async.ts'
import { allReduce, collectiveReduce, reduceScatter } from '../../../src/ops/collective-reductions.ts'
import { allGather, allToAll, collectiveBroadcast, collectivePermute, partitionId, replicaId } from '../../../src/ops/collectives.ts'
import { fill } from '../../../src/ops/constant.ts'
import { cond } from '../../../src/ops/control-flow.ts'
import { customCallOp, defineCustomCall } from '../../../src/ops/custom-call.ts'
import { infeed, outfeed, recv, send } from '../../../src/ops/host-transfer.ts'
import { manualComputation } from '../../../src/ops/manual-computation.ts'
import { mesh } from '../../../src/ops/mesh.ts'
import { funcReturnOp } from '../../../src/ops/return.ts'
import { runParallel } from '../../../src/ops/run-parallel.ts'
import { shard, withMesh } from '../../../src/ops/sharding.ts'
import { slice } from '../../../src/ops/slice-pad.ts'
import { emit } from '../../../src/trace/emit.ts'
import { buildFunction } from '../../../src/trace/frame.ts'
import type { OpSample } from './sample.ts'

const table = tensorType('f32', [2, 3])
const alone = [[0]]
const needsHost = 'it needs a host at the other end'

defineCustomCall({ target: 'engram.test.token', evaluate: () => [{ kind: 'token' }] })
const token = (): Value => emit(customCallOp, [], { call_target_name: 'engram.test.token' }, { results: [tokenType] }).results[0]

/** Ops in which processes meet; here there is one process, which meets itself. */
export const samples: readonly OpSample[] = [
  { name: 'stablehlo.replica_id', op: 'stablehlo.replica_id', build: () => replicaId(), inputs: [], differentiable: false },
  { name: 'stablehlo.partition_id', op: 'stablehlo.partition_id', build: () => partitionId(), inputs: [], differentiable: false },
  { name: 'stablehlo.all_gather', op: 'stablehlo.all_gather', build: (x) => allGather(x, 1, alone), inputs: [table], differentiable: false },
  {
    name: 'stablehlo.all_gather (channel, global ids)',
    op: 'stablehlo.all_gather',
    build: (x) => allGather(x, 0, alone, { channel: 1, globalIds: true }),
    inputs: [table],
    differentiable: false,
  },
  { name: 'stablehlo.all_to_all', op: 'stablehlo.all_to_all', build: (x) => allToAll(x, 0, 1, alone), inputs: [table], differentiable: false },
  { name: 'stablehlo.all_reduce', op: 'stablehlo.all_reduce', build: (x) => allReduce(x, add, alone), inputs: [table], differentiable: false },
  { name: 'stablehlo.reduce_scatter', op: 'stablehlo.reduce_scatter', build: (x) => reduceScatter(x, add, 1, alone), inputs: [table], differentiable: false },
  {
    name: 'stablehlo.collective_reduce',
    op: 'stablehlo.collective_reduce',
    build: (x) => collectiveReduce(x, multiply, alone),
    inputs: [table],
    differentiable: false,
    notOnXla: 'the installed XLA is older than the op',
  },
  {
    name: 'stablehlo.collective_broadcast',
    op: 'stablehlo.collective_broadcast',
    build: (x) => collectiveBroadcast(x, alone),
    inputs: [table],
    differentiable: false,
    notOnXla: 'XLA has no collective_broadcast on the CPU',
  },
  {
    name: 'stablehlo.collective_permute',
    op: 'stablehlo.collective_permute',
    build: (x) => collectivePermute(x, [[0, 0]]),
    inputs: [table],
    differentiable: false,
  },
  {
    name: 'stablehlo.infeed',
    op: 'stablehlo.infeed',
    build: (x) => cond(fill(false, tensorType('bool', [])), () => infeed(token(), [table], 'queue').tensors[0], () => x),
    inputs: [table],
    differentiable: false,
    notOnXla: needsHost,
  },
  {
    name: 'stablehlo.outfeed',
    op: 'stablehlo.outfeed',
    build: (x) => {
      outfeed([x], token(), 'queue')
      return x
    },
    inputs: [table],
    differentiable: false,
    notOnXla: needsHost,
  },
  {
    name: 'stablehlo.send',
    op: 'stablehlo.send',
    build: (x) => recv(send([x], token(), { channel: 1, host: true }), [table], { channel: 1, host: true }).tensors[0],
    inputs: [table],
    differentiable: false,
    notOnXla: needsHost,
  },
  {
    name: 'stablehlo.recv',
    op: 'stablehlo.recv',
    build: (x) => recv(send([x, x], token(), { channel: 2, pairs: [[0, 0]] }), [table, table], { channel: 2, pairs: [[0, 0]] }).tensors,
    inputs: [table],
    differentiable: false,
    notOnXla: 'XLA has no transfers between devices on the CPU',
  },
  {
    name: 'stablehlo.async_start',
    op: 'stablehlo.async_start',
    build: (x) => asyncDone(asyncStart([x], (y) => slice(y, [0, 1], [2, 3])))[0],
    inputs: [table],
    differentiable: false,
    notOnXla: 'the installed XLA is older than the op',
  },
  {
    name: 'stablehlo.async_done',
    op: 'stablehlo.async_done',
    build: (x) => asyncDone(asyncStart([x], (y) => allReduce(y, add, alone))),
    inputs: [table],
    differentiable: false,
    notOnXla: 'the installed XLA is older than the op',
  },
  {
    name: 'interpreter.run_parallel',
    op: 'interpreter.run_parallel',
    build: (x, y) => {
      const { name } = buildFunction('total', [table], ([own]) => {
        const sum = allReduce(own as Tensor, add, [[0, 1]])
        emit(funcReturnOp, [sum], {})
        return [sum.type]
      })
      return runParallel([[name], [name]], [x, y])
    },
    inputs: [table, table],
    differentiable: false,
    notOnXla: 'it is an op of interpreters only',
  },
  {
    name: 'sdy.sharding_constraint',
    op: 'sdy.sharding_constraint',
    build: (x) => withMesh(mesh({ data: 1 }), () => shard(negate(x), 'data', null)),
    inputs: [tensorType('f64', [2, 3])],
    differentiable: true,
  },
  {
    name: 'sdy.manual_computation',
    op: 'sdy.manual_computation',
    build: (x, y) => {
      const grid = mesh({ 'rows': 2, columns: 3 })
      const options = { mesh: grid, in: [['rows', 'columns'], ['rows']], out: [['rows', null], [null, ['columns', 'rows']]] }
      return manualComputation(options, [x, y], (a, b) => [allGather(a, 1, grid.groups('columns'), { channel: 1, globalIds: true }), b])
    },
    inputs: [table, table],
    differentiable: false,
    notOnXla: 'it is for six devices',
  },
  {
    name: 'sdy.manual_computation (nothing split)',
    op: 'sdy.manual_computation',
    build: (x) => manualComputation({ mesh: mesh({ data: 1 }), in: [[null]], out: [[]] }, [x], (a) => [negate(a)]),
    inputs: [table],
    differentiable: false,
  },
]
