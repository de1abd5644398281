import { describe, expect, it } from 'vitest'
import { initProgram, stateTypes, stepProgram } from '../../scripts/bench/train-program.ts'
import { valueAndGrad } from '../../src/autodiff/grad.ts'
import { walkOperations } from '../../src/ir/module.ts'
import type { Tensor } from '../../src/ir/module.ts'
import { tensorType } from '../../src/ir/types.ts'
import { preset } from '../../src/models/registry.ts'
import { add, multiply } from '../../src/ops/arithmetic.ts'
import { cond } from '../../src/ops/control-flow.ts'
import { compare } from '../../src/ops/compare.ts'
import { tanh } from '../../src/ops/elementwise-unary.ts'
import { reduceSum } from '../../src/ops/reduce.ts'
import { lower, lowerWith } from '../../src/program/lower.ts'
import { scope } from '../../src/trace/frame.ts'

const pair = tensorType('f32', [2])
const layer = ({ w, x }: { w: Tensor; x: Tensor }) => scope('layer', () => reduceSum(tanh(add(multiply(w, x), 1))))

describe('lower', () => {
  it('gives pretty StableHLO', () => {
    expect(lower(valueAndGrad(layer), { w: pair, x: pair }).text).toMatchInlineSnapshot(`
      "module @layer {
        func.func public @main(%arg0: tensor<2xf32>, %arg1: tensor<2xf32>) -> (tensor<f32>, tensor<2xf32>, tensor<2xf32>) {
          %0 = stablehlo.multiply %arg0, %arg1 : tensor<2xf32>
          %1 = stablehlo.constant dense<1.0> : tensor<2xf32>
          %2 = stablehlo.add %0, %1 : tensor<2xf32>
          %3 = stablehlo.tanh %2 : tensor<2xf32>
          %4 = stablehlo.constant dense<0.0> : tensor<f32>
          %5 = stablehlo.reduce(%3 init: %4) applies stablehlo.add across dimensions = [0] : (tensor<2xf32>, tensor<f32>) -> tensor<f32>
          %6 = stablehlo.constant dense<1.0> : tensor<f32>
          %7 = stablehlo.broadcast_in_dim %6, dims = [] : (tensor<f32>) -> tensor<2xf32>
          %8 = stablehlo.multiply %3, %3 : tensor<2xf32>
          %9 = stablehlo.subtract %1, %8 : tensor<2xf32>
          %10 = stablehlo.multiply %7, %9 : tensor<2xf32>
          %11 = stablehlo.multiply %10, %arg1 : tensor<2xf32>
          %12 = stablehlo.multiply %10, %arg0 : tensor<2xf32>
          return %5, %11, %12 : tensor<f32>, tensor<2xf32>, tensor<2xf32>
        }
      }
      "
    `)
  })
  it('is deterministic', () => {
    const once = () => lower(valueAndGrad(layer), { w: pair, x: pair }).text
    expect(once()).toBe(once())
  })
  it('knows the scope and the user\'s line of every op, also of those that differentiation made', () => {
    const { textWithLocations } = lower(valueAndGrad(layer), { w: pair, x: pair })
    const ops = textWithLocations.split('\n').filter((line) => line.includes(' = stablehlo.'))
    expect(ops.filter((line) => /loc\("layer"\(".*lower\.test\.ts":\d+:\d+\)\)/.test(line)).length).toBeGreaterThan(10)
    expect(ops.every((line) => /loc\(/.test(line))).toBe(true)
  })
  it('ties a donated input to the result of the same path, and offers the others to the compiler', () => {
    const step = (state: { a: Tensor; b: Tensor; old: Tensor }, x: Tensor) => ({ state: { b: add(state.b, x), a: add(state.a, x) }, sum: reduceSum(state.old) })
    const program = lowerWith({ donate: [0] }, step, { a: pair, b: pair, old: tensorType('f32', [7]) }, pair)
    expect(program.donated).toEqual([0, 1, 2])
    expect(program.text).toContain('%arg0: tensor<2xf32> {tf.aliasing_output = 0 : i32}, %arg1: tensor<2xf32> {tf.aliasing_output = 1 : i32}, %arg2: tensor<7xf32> {jax.buffer_donor = true}, %arg3: tensor<2xf32>)')
    expect(() => lowerWith({ donate: ['[0].c'] }, step, { a: pair, b: pair, old: pair }, pair)).toThrow('donate: no input is under [0].c')
  })
  it('refuses mistakes with full types at the user\'s line', () => {
    const mix = (a: Tensor, b: Tensor) => add(a, b)
    expect(() => lower(mix, pair, tensorType('f32', [3]))).toThrow(/^add: operands differ at axis 0: f32\[2\] and f32\[3\]\n {2}at mix \(.*lower\.test\.ts:\d+:\d+\)$/)
    expect(() => lower(mix, pair, tensorType('f32', [1, 2]))).toThrow('operands differ in rank: f32[2] and f32[1,2]; only rank 0 is broadcast by itself: use expandDims or broadcastInDim')
    expect(() => lower(mix, pair, tensorType('i32', [2]))).toThrow('operands differ in element type: (f32[2], i32[2]); convert one of them')
    expect(() => lower((a: Tensor) => add(a, 1.5), tensorType('i32', [2]))).toThrow('1.5 is not an integer')
    expect(() => lower((a: Tensor) => ({ a, n: 3 }), pair)).toThrow('n is number 3, expected a tensor')
    expect(() => lower(async (a: Tensor) => a, pair)).toThrow('a traced function must not be async')
    expect(() => lower(mix, pair, 3 as never)).toThrow('[1] is number 3, expected a type such as f32(8, 512)')
    expect(() => add(1, 2)).toThrow(/outside a trace|needs at least one tensor/)
  })
  it('refuses a tensor that left its region or its trace', () => {
    let leaked: Tensor | undefined
    const leak = (a: Tensor) => {
      cond(compare(reduceSum(a), 0, 'LT'), () => (leaked = add(a, 1)), () => a)
      return add(leaked!, a)
    }
    expect(() => lower(leak, pair)).toThrow('a tensor of another trace was used')
    expect(() => lower((a: Tensor) => add(a, leaked!), pair)).toThrow('a tensor of another trace was used')
  })
})

describe('the paper\'s model', () => {
  const configured = preset('memorizing-transformer', 'paper-200m')
  const program = stepProgram(configured, 8, stateTypes(initProgram(configured, 8)))
  it('lowers to less than 1 MB, without constants that nobody wrote', () => {
    expect(program.text.length).toBeLessThan(1_000_000)
    for (const func of program.module.functions)
      walkOperations(func.block, ({ attributes }) => {
        if (attributes.value?.text) expect(attributes.value.text().length).toBeLessThan(1000)
      })
  })
  it('keeps its state in place', () => {
    const stateInputs = program.inputPaths.filter((path) => path.startsWith('[0]')).length
    expect(program.donated).toHaveLength(stateInputs)
    expect(program.text.match(/tf\.aliasing_output/g)).toHaveLength(stateInputs)
  })
})
