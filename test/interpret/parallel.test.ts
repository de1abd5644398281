import { describe, expect, it } from 'vitest'
import { interpret } from '../../src/interpret/interpreter.ts'
import { interpretParallel } from '../../src/interpret/parallel.ts'
import { HostArray } from '../../src/ir/host-array.ts'
import type { HostValue } from '../../src/ir/op-definition.ts'
import { defineCustomCall } from '../../src/ops/custom-call.ts'
import { provideInfeed, takeOutfeed } from '../../src/ops/host-transfer.ts'
import { parseModule } from '../../src/text/parse.ts'

defineCustomCall({ target: 'engram.test.token', evaluate: () => [{ kind: 'token' }] })

const i64 = (values: number[]): HostArray => HostArray.from('i64', values)
const plain = (values: readonly HostValue[]): unknown[] => values.map((value) => (value instanceof HostArray ? value.toNested() : value.kind))
const big = (...values: number[]): bigint[] => values.map(BigInt)

/** Runs the text's @main on a grid of one input each. */
function runGrid(text: string, inputs: number[][][]): unknown[][][] {
  const results = interpretParallel(parseModule(text), inputs.map((row) => row.map((values) => [i64(values)])))
  return results.map((row) => row.map(plain))
}

const allReduce = (attributes: string): string => `
func.func @main(%x: tensor<2xi64>) -> tensor<2xi64> {
  %0 = "stablehlo.all_reduce"(%x) ({
  ^bb0(%a: tensor<i64>, %b: tensor<i64>):
    %s = stablehlo.add %a, %b : tensor<i64>
    stablehlo.return %s : tensor<i64>
  }) {${attributes}} : (tensor<2xi64>) -> tensor<2xi64>
  return %0 : tensor<2xi64>
}`

// Replica by replica, partition by partition.
const grid = [[[1, 10], [2, 20]], [[4, 40], [8, 80]]]

describe('processes meet in groups', () => {
  it('of replicas, for each partition', () => {
    expect(runGrid(allReduce('replica_groups = dense<[[0, 1]]> : tensor<1x2xi64>'), grid)).toEqual([
      [[big(5, 50)], [big(10, 100)]],
      [[big(5, 50)], [big(10, 100)]],
    ])
  })
  it('of replicas and partitions, over a channel', () => {
    const attributes = 'replica_groups = dense<[[0], [1]]> : tensor<2x1xi64>, channel_handle = #stablehlo.channel_handle<handle = 1, type = 1>'
    expect(runGrid(allReduce(attributes), grid)).toEqual([
      [[big(3, 30)], [big(3, 30)]],
      [[big(12, 120)], [big(12, 120)]],
    ])
  })
  it('of devices by their own numbers', () => {
    const attributes =
      'replica_groups = dense<[[0, 3], [1, 2]]> : tensor<2x2xi64>, channel_handle = #stablehlo.channel_handle<handle = 1, type = 1>, use_global_device_ids'
    expect(runGrid(allReduce(attributes), grid)).toEqual([
      [[big(9, 90)], [big(6, 60)]],
      [[big(6, 60)], [big(9, 90)]],
    ])
  })
  it('of partitions, for each replica', () => {
    const text = `
func.func @main(%x: tensor<2xi64>) -> tensor<2xi64> {
  %0 = "stablehlo.collective_permute"(%x) {
    source_target_pairs = dense<[[0, 1]]> : tensor<1x2xi64>, channel_handle = #stablehlo.channel_handle<handle = 1, type = 1>
  } : (tensor<2xi64>) -> tensor<2xi64>
  return %0 : tensor<2xi64>
}`
    expect(runGrid(text, grid)).toEqual([
      [[big(0, 0)], [big(1, 10)]],
      [[big(0, 0)], [big(4, 40)]],
    ])
  })
  it('of axes of a mesh', () => {
    const mesh = '#stablehlo.replica_group_mesh_axes<mesh = @mesh, axes = [#stablehlo.axis_ref<name = "y">]>'
    const attributes = `replica_groups = ${mesh}, channel_handle = #stablehlo.channel_handle<handle = 1, type = 1>, use_global_device_ids`
    const text = `module { sdy.mesh @mesh = <["x"=2, "y"=2]>\n ${allReduce(attributes)} }`
    expect(runGrid(text, grid)).toEqual([
      [[big(3, 30)], [big(3, 30)]],
      [[big(12, 120)], [big(12, 120)]],
    ])
  })
  it('again and again in a loop, in step', () => {
    const text = `
func.func @main(%x: tensor<2xi64>) -> tensor<2xi64> {
  %n = stablehlo.constant dense<3> : tensor<i64>
  %zero = stablehlo.constant dense<0> : tensor<i64>
  %one = stablehlo.constant dense<1> : tensor<i64>
  %0:2 = stablehlo.while(%i = %zero, %y = %x) : tensor<i64>, tensor<2xi64>
  cond {
    %c = stablehlo.compare LT, %i, %n : (tensor<i64>, tensor<i64>) -> tensor<i1>
    stablehlo.return %c : tensor<i1>
  } do {
    %j = stablehlo.add %i, %one : tensor<i64>
    %z = "stablehlo.collective_permute"(%y) {source_target_pairs = dense<[[0, 1], [1, 2], [2, 0]]> : tensor<3x2xi64>} : (tensor<2xi64>) -> tensor<2xi64>
    %s = stablehlo.add %z, %x : tensor<2xi64>
    stablehlo.return %j, %s : tensor<i64>, tensor<2xi64>
  }
  return %0#1 : tensor<2xi64>
}`
    // After three turns everyone has its own twice and the others' once.
    expect(runGrid(text, [[[1, 0]], [[10, 0]], [[100, 0]]])).toEqual([[[big(112, 0)]], [[big(121, 0)]], [[big(211, 0)]]])
  })
})

describe('processes that wait', () => {
  const exchange = (channel: number, name: string): string => `%${name} = "stablehlo.all_gather"(%x) {all_gather_dim = 0 : i64,
      replica_groups = dense<[[0, 1]]> : tensor<1x2xi64>, channel_handle = #stablehlo.channel_handle<handle = ${channel}, type = 1>,
      use_global_device_ids} : (tensor<2xi64>) -> tensor<4xi64>`
  it('for each other are said to be stuck, with what each waits for', () => {
    const text = `
func.func @main(%x: tensor<2xi64>) -> (tensor<4xi64>, tensor<4xi64>) {
  %r = stablehlo.replica_id : tensor<ui32>
  %i = stablehlo.convert %r : (tensor<ui32>) -> tensor<i32>
  %0:2 = "stablehlo.case"(%i) ({
    ${exchange(1, 'a')}
    ${exchange(2, 'b')}
    stablehlo.return %a, %b : tensor<4xi64>, tensor<4xi64>
  }, {
    ${exchange(2, 'b')}
    ${exchange(1, 'a')}
    stablehlo.return %a, %b : tensor<4xi64>, tensor<4xi64>
  }) : (tensor<i32>) -> (tensor<4xi64>, tensor<4xi64>)
  return %0#0, %0#1 : tensor<4xi64>, tensor<4xi64>
}`
    expect(() => runGrid(text, [[[1, 2]], [[3, 4]]])).toThrowErrorMatchingInlineSnapshot(`
      [EngramError: the processes wait for each other forever:
        replica 0, partition 0: waits at stablehlo.all_gather (channel 1) of processes 0, 1
        replica 1, partition 0: waits at stablehlo.all_gather (channel 2) of processes 0, 1]
    `)
  })
  it('meet in any order when they start at once', () => {
    const start = (channel: number, name: string): string => `%${name} = "stablehlo.async_start"(%x) ({
    ^bb0(%y: tensor<2xi64>):
      %z = "stablehlo.all_gather"(%y) {all_gather_dim = 0 : i64, replica_groups = dense<[[0, 1]]> : tensor<1x2xi64>,
        channel_handle = #stablehlo.channel_handle<handle = ${channel}, type = 1>, use_global_device_ids} : (tensor<2xi64>) -> tensor<4xi64>
      stablehlo.return %z : tensor<4xi64>
    }) : (tensor<2xi64>) -> !stablehlo.future<tensor<4xi64>>`
    const done = (name: string): string => `%${name}d = "stablehlo.async_done"(%${name}) : (!stablehlo.future<tensor<4xi64>>) -> tensor<4xi64>`
    const branch = (first: string, second: string): string =>
      `{ ${first}\n ${second}\n ${done('a')}\n ${done('b')}\n stablehlo.return %ad, %bd : tensor<4xi64>, tensor<4xi64> }`
    const text = `
func.func @main(%x: tensor<2xi64>) -> (tensor<4xi64>, tensor<4xi64>) {
  %r = stablehlo.replica_id : tensor<ui32>
  %i = stablehlo.convert %r : (tensor<ui32>) -> tensor<i32>
  %0:2 = "stablehlo.case"(%i) (${branch(start(1, 'a'), start(2, 'b'))}, ${branch(start(2, 'b'), start(1, 'a'))}) : (tensor<i32>) -> (tensor<4xi64>, tensor<4xi64>)
  return %0#0, %0#1 : tensor<4xi64>, tensor<4xi64>
}`
    const all = big(1, 2, 3, 4)
    expect(runGrid(text, [[[1, 2]], [[3, 4]]])).toEqual([[[all, all]], [[all, all]]])
  })
})

describe('transfers', () => {
  it('go from sender to receiver by pairs, and give zeros to who is no target', () => {
    const attributes = 'channel_handle = #stablehlo.channel_handle<handle = 1, type = 1>, source_target_pairs = dense<[[0, 1]]> : tensor<1x2xi64>'
    const text = `
func.func @main(%x: tensor<2xi64>) -> tensor<2xi64> {
  %t = stablehlo.custom_call @engram.test.token() : () -> !stablehlo.token
  %s = "stablehlo.send"(%x, %t) {${attributes}} : (tensor<2xi64>, !stablehlo.token) -> !stablehlo.token
  %r:2 = "stablehlo.recv"(%s) {${attributes}} : (!stablehlo.token) -> (tensor<2xi64>, !stablehlo.token)
  return %r#0 : tensor<2xi64>
}`
    expect(runGrid(text, [[[1, 2]], [[3, 4]]])).toEqual([[[big(0, 0)]], [[big(1, 2)]]])
  })
  it('take from the host and give to it', () => {
    const text = `
func.func @main() -> tensor<2xi64> {
  %t = stablehlo.custom_call @engram.test.token() : () -> !stablehlo.token
  %r:2 = "stablehlo.infeed"(%t) {infeed_config = ""} : (!stablehlo.token) -> (tensor<2xi64>, !stablehlo.token)
  %s = stablehlo.add %r#0, %r#0 : tensor<2xi64>
  %o = "stablehlo.outfeed"(%s, %r#1) : (tensor<2xi64>, !stablehlo.token) -> !stablehlo.token
  return %s : tensor<2xi64>
}`
    const module = parseModule(text)
    const shared = new Map<string, unknown>()
    provideInfeed(shared, [i64([1, 2])])
    provideInfeed(shared, [HostArray.from('f32', [1])])
    expect(plain(interpret(module, [], { shared }))).toEqual([big(2, 4)])
    expect(takeOutfeed(shared).map(plain)).toEqual([[big(2, 4)]])
    expect(() => interpret(module, [], { shared })).toThrow('stablehlo.infeed: expected tensor<2xi64>, received tensor<1xf32>')
    expect(() => interpret(module, [], { shared })).toThrow('stablehlo.infeed: the host has nothing more to give')
  })
})

describe('one process', () => {
  it('is told when its group has others', () => {
    const module = parseModule(allReduce('replica_groups = dense<[[0, 1]]> : tensor<1x2xi64>'))
    expect(() => interpret(module, [i64([1, 2])])).toThrowErrorMatchingInlineSnapshot(`[EngramError: stablehlo.all_reduce: cross_replica names 1, but the program runs on 1 replica of 1 partition: give it a grid of processes with interpretParallel]`)
  })
  it('is told when it would wait forever', () => {
    const module = parseModule(`
func.func @main() -> tensor<2xi64> {
  %t = stablehlo.custom_call @engram.test.token() : () -> !stablehlo.token
  %r:2 = "stablehlo.recv"(%t) {channel_handle = #stablehlo.channel_handle<handle = 7, type = 1>} : (!stablehlo.token) -> (tensor<2xi64>, !stablehlo.token)
  return %r#0 : tensor<2xi64>
}`)
    expect(() => interpret(module, [])).toThrow('stablehlo.recv: nothing was sent on channel 7, and only one process runs: it would wait forever')
  })
  it('is stopped when a function calls itself without end', () => {
    const module = parseModule('func.func @main(%x: tensor<2xi64>) -> tensor<2xi64> {\n %0 = func.call @main(%x) : (tensor<2xi64>) -> tensor<2xi64>\n return %0 : tensor<2xi64>\n}')
    expect(() => interpret(module, [i64([1, 2])])).toThrow('calls are nested more than 500 deep at @main: does it call itself?')
    expect(() => runGrid('func.func @main(%x: tensor<2xi64>) -> tensor<2xi64> {\n %0 = func.call @main(%x) : (tensor<2xi64>) -> tensor<2xi64>\n return %0 : tensor<2xi64>\n}', [[[1, 2]]])).toThrow('does it call itself?')
  })
  it('cannot run a function that is only declared', () => {
    expect(() => interpret(parseModule('func.func private @main() -> tensor<2xi64>'), [])).toThrow('@main is only declared: it has no body to run')
  })
  it('needs a grid with rows of one length', () => {
    const module = parseModule(allReduce('replica_groups = dense<[[0, 1]]> : tensor<1x2xi64>'))
    expect(() => interpretParallel(module, [])).toThrow('the grid of processes needs rows of one length, got none')
    expect(() => interpretParallel(module, [[[i64([1, 2])]], []])).toThrow('got 1, 0')
  })
})
