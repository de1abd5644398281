import type { ProgramSource } from '../../src/ir/backend.ts'
import { type DType, dtypes } from '../../src/ir/dtypes.ts'
import type { Module } from '../../src/ir/module.ts'
import { type TensorType, tensorType, typeText } from '../../src/ir/types.ts'

/** A program written by hand; the runner reads its text alone. */
export const program = (name: string, inputs: readonly TensorType[], outputs: readonly TensorType[], text: string): ProgramSource => ({
  name,
  text,
  inputs,
  outputs,
  module: undefined as unknown as Module,
})

/** `(x, y) -> x + y`; `donate` gives `x` away. */
export function addition(type: TensorType = tensorType('f32', [4]), donate = false): ProgramSource {
  const t = typeText(type)
  return program('addition', [type, type], [type], `module @addition {
  func.func public @main(%x: ${t}${donate ? ' {tf.aliasing_output = 0 : i32}' : ''}, %y: ${t}) -> ${t} {
    %0 = stablehlo.add %x, %y : ${t}
    return %0 : ${t}
  }
}
`)
}

/** The transpose of a 2 by 3 matrix. */
export function transpose(dtype: DType): ProgramSource {
  const e = dtypes[dtype].text
  return program('transpose', [tensorType(dtype, [2, 3])], [tensorType(dtype, [3, 2])], `func.func public @main(%x: tensor<2x3x${e}>) -> tensor<3x2x${e}> {
  %0 = stablehlo.transpose %x, dims = [1, 0] : (tensor<2x3x${e}>) -> tensor<3x2x${e}>
  return %0 : tensor<3x2x${e}>
}
`)
}

const scalar = tensorType('i32', [])

/** Takes a number of rounds, each of some microseconds, and returns how many it made. */
export const slow: ProgramSource = program('slow', [scalar], [scalar, tensorType('f32', [1024])], `func.func public @main(%limit: tensor<i32>) -> (tensor<i32>, tensor<1024xf32>) {
  %zero = stablehlo.constant dense<0> : tensor<i32>
  %one = stablehlo.constant dense<1> : tensor<i32>
  %start = stablehlo.constant dense<1.0> : tensor<1024xf32>
  %count, %last = stablehlo.while(%i = %zero, %x = %start) : tensor<i32>, tensor<1024xf32>
    cond {
      %go = stablehlo.compare LT, %i, %limit : (tensor<i32>, tensor<i32>) -> tensor<i1>
      stablehlo.return %go : tensor<i1>
    } do {
      %next = stablehlo.add %i, %one : tensor<i32>
      %sine = stablehlo.sine %x : tensor<1024xf32>
      stablehlo.return %next, %sine : tensor<i32>, tensor<1024xf32>
    }
  return %count, %last : tensor<i32>, tensor<1024xf32>
}
`)

const petabyte = tensorType('f32', [1 << 20, 1 << 20, 1 << 8])

/** Compiles, and fails when it is executed: its result is larger than any address space. */
export const tooLarge: ProgramSource = program('tooLarge', [tensorType('f32', [])], [petabyte], `func.func public @main(%x: tensor<f32>) -> ${typeText(petabyte)} {
  %0 = stablehlo.broadcast_in_dim %x, dims = [] : (tensor<f32>) -> ${typeText(petabyte)}
  return %0 : ${typeText(petabyte)}
}
`)

/** Takes what `tooLarge` cannot make. */
export const useTooLarge: ProgramSource = program('use', [petabyte], [tensorType('f32', [])], `func.func public @main(%x: ${typeText(petabyte)}) -> tensor<f32> {
  %0 = stablehlo.constant dense<1.0> : tensor<f32>
  return %0 : tensor<f32>
}
`)
