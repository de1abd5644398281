import { describe, expect, it } from 'vitest'
import { HostArray } from '../../src/ir/host-array.ts'
import type { Tensor } from '../../src/ir/module.ts'
import { tensorType } from '../../src/ir/types.ts'
import { interpret } from '../../src/interpret/interpreter.ts'
import { add } from '../../src/ops/arithmetic.ts'
import { allGather } from '../../src/ops/collectives.ts'
import { manualComputation } from '../../src/ops/manual-computation.ts'
import { type Mesh, mesh } from '../../src/ops/mesh.ts'
import { type Placement, shard, withMesh } from '../../src/ops/sharding.ts'
import { lower, lowerWith } from '../../src/program/lower.ts'
import { parseModule } from '../../src/text/parse.ts'
import { printModule } from '../../src/text/print.ts'
import { verifyModule } from '../../src/verify/verify.ts'
import { messageOf } from '../support/message-of.ts'

const grid = mesh({ data: 2, model: 3 })
const table = tensorType('f32', [4, 6])

/** What a program of this body, over `sdy.mesh @mesh = <["x"=4, "y"=2]>`, is refused for. */
const refused = (body: string): string[] => {
  const text = `sdy.mesh @mesh = <["x"=4, "y"=2]>\nfunc.func @main(%a: tensor<8x6xf32>) -> tensor<8x6xf32> {\n${body}\n  return %a : tensor<8x6xf32>\n}`
  return verifyModule(parseModule(text)).map(({ message }) => message.split('\n')[0])
}

describe('mesh', () => {
  it('knows its devices, and which of them differ along an axis', () => {
    expect(grid.devices).toBe(6)
    expect(grid.groups('data')).toEqual([[0, 3], [1, 4], [2, 5]])
    expect(grid.groups('model')).toEqual([[0, 1, 2], [3, 4, 5]])
    expect([grid.stride('data'), grid.stride('model')]).toEqual([3, 1])
  })
  it.each([
    [() => mesh({}), 'a mesh needs at least one axis, e.g. mesh({ data: 8 })'],
    [() => mesh({ data: 0 }), "axis 'data' of the mesh has size 0, must be an integer of 1 or more"],
    [() => grid.size('rows'), `the mesh <["data"=2, "model"=3]> has no axis 'rows'`],
  ])('is refused: %s', (make: () => unknown, message) => {
    expect(messageOf(make)).toBe(message)
  })
})

describe('shard', () => {
  const program = (build: (x: Tensor) => Tensor) => lowerWith({ mesh: grid }, build, table)

  it('says of an argument where it comes in, and of anything else where it lies from there on', () => {
    const { module, text } = program((x) => shard(add(shard(x, 'data'), x), null, ['model']))
    expect(module.foreign).toEqual(['sdy.mesh @mesh = <["data"=2, "model"=3]>'])
    expect(text).toContain('%arg0: tensor<4x6xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"data"}, {}]>}')
    expect(text).toContain('sdy.sharding_constraint %0 <@mesh, [{}, {"model"}]> : tensor<4x6xf32>')
    expect(text).toContain('mhlo.num_partitions = 6 : i32')
    expect(printModule(parseModule(text))).toBe(text)
  })
  it('leaves an argument that lies somewhere already, and what a second mesh calls its own', () => {
    const { text } = program((x) => withMesh(mesh({ all: 6 }), () => shard(shard(x), null, 'all')))
    expect(text).toContain('sdy.sharding = #sdy.sharding<@mesh, [{}, {}]>')
    expect(text).toContain('sdy.sharding_constraint %arg0 <@mesh, [{}, {"all"}]>')
  })
  const wrong: readonly (readonly [Placement, string])[] = [
    [['data', null, null], 'f32[4,6] has 2 dimensions, the placement [data, , ] has 3'],
    [['rows'], `the mesh <["data"=2, "model"=3]> has no axis 'rows'`],
    [['model'], "dimension 0 of f32[4,6] cannot be split evenly over 3 devices ('model'): fill it up to a multiple"],
    [['data', 'data'], "axis 'data' of the mesh can split one dimension of f32[4,6], not two"],
  ]
  it.each(wrong)('refuses %j', (placement, message) => {
    expect(messageOf(() => program((x) => shard(x, ...placement)))).toBe(message)
  })
  it('needs a mesh', () => {
    expect(messageOf(() => lower((x: Tensor) => shard(x, 'data'), table))).toBe('there is no mesh of devices here: lower with lowerWith({ mesh: mesh({ data: 8 }) }, ...), or use withMesh')
    const two = (x: Tensor) => withMesh(mesh({ data: 4 }), () => shard(shard(x, 'data'), null))
    expect(messageOf(() => program((x) => two(add(shard(x, 'data'), x))))).toContain('a mesh of 4 devices is used in a program for 6')
  })
})

describe('manualComputation', () => {
  const both: Placement = ['data', 'model']
  const over = (devices: Mesh, body: (...parts: Tensor[]) => readonly Tensor[], ins: readonly Placement[] = [both], outs: readonly Placement[] = [both]) =>
    lower((x: Tensor) => manualComputation({ mesh: devices, in: ins, out: outs }, [x], body), table)

  it('refuses tensors from outside, and placements that do not go with inputs and outputs', () => {
    expect(messageOf(() => lower((x: Tensor) => manualComputation({ mesh: grid, in: [both], out: [both] }, [x], () => [add(x, x)]), table))).toContain(
      'add: a tensor of another trace was used (in the body of manualComputation)')
    expect(messageOf(() => over(grid, (part) => [part], []))).toBe('manualComputation: 1 inputs, and placements for 0')
    expect(messageOf(() => over(grid, (part) => [part, part]))).toBe('manualComputation: the body gives 2 outputs, and there are placements for 1')
  })
  it('knows of the axes that it names alone', () => {
    const { outputs, text } = lower((x: Tensor) => manualComputation({ mesh: grid, axes: ['model'], in: [both], out: [[null, 'model']] }, [x], (part) => [add(part, part)]), table)
    expect(text).toContain('manual_axes={"model"} (%arg1: tensor<4x2xf32>)')
    expect(outputs).toEqual([table])
    const x = HostArray.of('f32', [4, 6], Array.from({ length: 24 }, (_, i) => i))
    expect(interpret(parseModule(text), [x])).toEqual([HostArray.of('f32', [4, 6], Array.from(x.data as Float32Array, (value) => 2 * value))])
  })
  it('is interpreted on devices in the order that the mesh gives them', () => {
    const text = `module attributes {mhlo.num_partitions = 2 : i32} {
  sdy.mesh @mesh = <["x"=2], device_ids=[1, 0]>
  func.func @main(%a: tensor<2xui32>) -> tensor<2xui32> {
    %0 = sdy.manual_computation(%a) in_shardings=[<@mesh, [{"x"}]>] out_shardings=[<@mesh, [{"x"}]>] manual_axes={"x"} (%b: tensor<1xui32>) {
      %1 = stablehlo.partition_id : tensor<ui32>
      %2 = stablehlo.reshape %1 : (tensor<ui32>) -> tensor<1xui32>
      sdy.return %2 : tensor<1xui32>
    } : (tensor<2xui32>) -> tensor<2xui32>
    return %0 : tensor<2xui32>
  }
}`
    expect(interpret(parseModule(text), [HostArray.from('u32', [0, 0])])).toEqual([HostArray.from('u32', [1, 0])])
  })
  it('joins groups of its own axes', () => {
    const { module } = over(grid, (part) => [allGather(part, 0, grid.groups('data'), { channel: 1, globalIds: true })], [both], [[null, 'model']])
    const x = HostArray.of('f32', [4, 6], Array.from({ length: 24 }, (_, i) => i))
    expect(interpret(module, [x])).toEqual([x])
  })
})

describe('sdy text', () => {
  it('is read in all the ways that Shardy writes it', () => {
    const text = `module @m {
  sdy.mesh @mesh = <["x"=4, "y"=2]>
  func.func public @main(%arg0: tensor<4x8xf32> {sdy.sharding = #sdy.sharding<@mesh, [{?}, {"x", ?}]>}, %arg1: tensor<16x8xf32>) -> (tensor<4x8xf32>, tensor<4xf32>) {
    %0 = sdy.sharding_constraint %arg0 <@mesh, [{"x":(1)2}p1, {?}], replicated={"y"}> : tensor<4x8xf32>
    %1 = sdy.manual_computation(%0, %arg1) in_shardings=[<@mesh, [{}, {}]>, <@mesh, [{"x", ?}p0, {}], replicated={"y"}>] out_shardings=[<@mesh, [{}, {}]>] manual_axes={"x", "y"} (%arg2: tensor<4x8xf32>, %arg3: tensor<4x8xf32>) {
      sdy.return %arg2 : tensor<4x8xf32>
    } : (tensor<4x8xf32>, tensor<16x8xf32>) -> tensor<4x8xf32>
    %2 = sdy.manual_computation() in_shardings=[] out_shardings=[<@mesh, [{"x"}]>] manual_axes={"x", "y"} () {
      %3 = stablehlo.constant dense<1.0> : tensor<1xf32>
      sdy.return %3 : tensor<1xf32>
    } : () -> tensor<4xf32>
    return %1, %2 : tensor<4x8xf32>, tensor<4xf32>
  }
}
`
    const module = parseModule(text)
    expect(printModule(module)).toBe(text)
    expect(verifyModule(module)).toEqual([])
    expect(printModule(parseModule(printModule(module, { generic: true })))).toBe(text)
  })
  it.each([
    ['  %0 = sdy.sharding_constraint %a <@mesh, [{"x"}]> : tensor<8x6xf32>', 'sharding <@mesh, [{"x"}]> has 1 dimensions'],
    ['  %0 = sdy.sharding_constraint %a <@other, [{"x"}, {}]> : tensor<8x6xf32>', 'unknown mesh: @other'],
    ['  %0 = sdy.sharding_constraint %a <@mesh, [{"z"}, {}]> : tensor<8x6xf32>', 'unknown axis name: "z"'],
    ['  %0 = sdy.manual_computation(%a) in_shardings=[<@mesh, [{"x"}, {}]>] out_shardings=[<@mesh, [{"x"}, {}]>] manual_axes={"x"} (%b: tensor<4x6xf32>) {\n    sdy.return %b : tensor<4x6xf32>\n  } : (tensor<8x6xf32>) -> tensor<16x6xf32>', 'each device has (f32[2,6]), the body takes (f32[4,6])'],
    ['  %0 = sdy.manual_computation(%a) in_shardings=[<@mesh, [{"x"}, {}]>] out_shardings=[<@mesh, [{}, {}]>] manual_axes={"x"} (%b: tensor<2x6xf32>) {\n    sdy.return %b : tensor<2x6xf32>\n  } : (tensor<8x6xf32>) -> tensor<8x6xf32>', "the devices' parts are (f32[2,6]) together, the results are (f32[8,6])"],
    ['  %0 = sdy.manual_computation(%a) in_shardings=[<@mesh, [{}, {"x"}]>] out_shardings=[<@mesh, [{}, {"x"}]>] manual_axes={"x"} (%b: tensor<8x2xf32>) {\n    sdy.return %b : tensor<8x2xf32>\n  } : (tensor<8x6xf32>) -> tensor<8x8xf32>', 'dimension 1 of f32[8,6] cannot be split evenly over 4 devices'],
    ['  %0 = sdy.manual_computation(%a) in_shardings=[<@mesh, [{}, {}]>] out_shardings=[<@mesh, [{}, {}]>] manual_axes={"x"} (%b: tensor<8x6xf32>) {\n    sdy.return %a : tensor<8x6xf32>\n  } : (tensor<8x6xf32>) -> tensor<8x6xf32>', 'the body uses values from outside'],
  ])('%s is refused', (body, message) => {
    expect(refused(body)).toEqual([expect.stringContaining(message)])
  })
})
