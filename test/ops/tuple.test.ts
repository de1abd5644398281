import { describe, expect, it } from 'vitest'
import { interpret } from '../../src/interpret/interpreter.ts'
import { HostArray } from '../../src/ir/host-array.ts'
import type { Tensor, Value } from '../../src/ir/module.ts'
import { tensorType } from '../../src/ir/types.ts'
import { getTupleElement, tuple } from '../../src/ops/tuple.ts'
import { lower } from '../../src/program/lower.ts'
import { parseModule } from '../../src/text/parse.ts'
import { printModule } from '../../src/text/print.ts'
import { traceError } from '../support/run-ops.ts'

const types = [tensorType('f32', [2]), tensorType('i32', [])] as const
const packAndTake = (x: Tensor, i: Tensor) => {
  const inner = tuple([i])
  const outer = tuple([x, inner])
  return [getTupleElement(outer, 0), getTupleElement(getTupleElement(outer, 1), 0)] as Tensor[]
}

describe('tuple', () => {
  it('packs values and gives them back, also after printing and parsing', () => {
    const program = lower(packAndTake, ...types)
    expect(program.text).toMatchInlineSnapshot(`
      "module @packAndTake {
        func.func public @main(%arg0: tensor<2xf32>, %arg1: tensor<i32>) -> (tensor<2xf32>, tensor<i32>) {
          %0 = stablehlo.tuple %arg1 : tuple<tensor<i32>>
          %1 = stablehlo.tuple %arg0, %0 : tuple<tensor<2xf32>, tuple<tensor<i32>>>
          %2 = stablehlo.get_tuple_element %1[0] : (tuple<tensor<2xf32>, tuple<tensor<i32>>>) -> tensor<2xf32>
          %3 = stablehlo.get_tuple_element %1[1] : (tuple<tensor<2xf32>, tuple<tensor<i32>>>) -> tuple<tensor<i32>>
          %4 = stablehlo.get_tuple_element %3[0] : (tuple<tensor<i32>>) -> tensor<i32>
          return %2, %4 : tensor<2xf32>, tensor<i32>
        }
      }
      "
    `)
    const inputs = [HostArray.from('f32', [1, 2]), HostArray.from('i32', 7)]
    const read = parseModule(program.text)
    expect(printModule(read)).toBe(program.text)
    expect((interpret(read, inputs) as HostArray[]).map((y) => y.toNested())).toEqual([[1, 2], 7])
  })

  it('says what is wrong', () => {
    const fails = (take: (x: Value) => Value) => traceError((x) => take(x), types[0])
    expect(fails((x) => getTupleElement(tuple([x]), 1))).toMatchInlineSnapshot(`"get_tuple_element: index 1 is out of bounds of operand with size 1 [get_tuple_element_c1]"`)
    expect(fails((x) => getTupleElement(x, 0))).toMatchInlineSnapshot(`"get_tuple_element: needs a tuple, got f32[2] [get_tuple_element_i1]"`)
  })
})
