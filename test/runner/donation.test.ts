import { describe, expect, it } from 'vitest'
import { donatedArguments } from '../../src/runner/donation.ts'

describe('donatedArguments', () => {
  it('finds both spellings among other attributes', () => {
    const text = `module @m attributes {jax.uses_shape_polymorphism = false} {
      func.func private @helper(%a: tensor<f32> {tf.aliasing_output = 0 : i32}) -> tensor<f32> { return %a : tensor<f32> }
      func.func public @main(
        %a: tensor<2x3xf32> {jax.buffer_donor = true, mhlo.sharding = "{devices=[2,1]<=[2]}"} loc("a, (b"),
        %b: tensor<2x!quant.uniform<i8:f32, 1.0:2>> {a.b = (i32, f32) -> i8},
        %c: tensor<4xi32> {sdy.sharding = #sdy.sharding<@mesh, [{"x"}, {}]>, tf.aliasing_output = 1 : i32},
        %d: tensor<i1> {jax.buffer_donor = false}
      ) -> (tensor<2x3xf32> {jax.result_info = "tf.aliasing_output"}, tensor<4xi32>) { return }
    }`
    expect(donatedArguments(text)).toEqual([0, 2])
  })

  it('finds none where there is none, and survives text that is no program', () => {
    expect(donatedArguments('func.func @main() -> tensor<f32> {}')).toEqual([])
    expect(donatedArguments('func.func @main(%a: tensor<f32>) -> tensor<f32> {}')).toEqual([])
    expect(donatedArguments('func.func @main(%a: tensor<f32')).toEqual([])
    expect(donatedArguments('hello')).toEqual([])
  })
})
