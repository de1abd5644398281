import { describe, expect, it } from 'vitest'
import { CheckError } from '../../src/ir/errors.ts'
import { interpret } from '../../src/interpret/interpreter.ts'
import { parseModule } from '../../src/text/parse.ts'
import { printModule } from '../../src/text/print.ts'

const program = (body: string) => parseModule(`func.func public @main() {\n%x = stablehlo.constant dense<[1.0, 2.0]> : tensor<2xf32>\n${body}\nreturn\n}`, { file: 'model.mlir' })

/** What running a program with this check says; undefined if the check holds. */
function outcome(body: string): string | undefined {
  try {
    interpret(program(body), [])
    return undefined
  } catch (error) {
    if (error instanceof CheckError) return error.message
    throw error
  }
}

describe('checks', () => {
  it.each([
    ['check.expect_eq_const %x, dense<[1.0, 2.0]> : tensor<2xf32>', true],
    ['check.expect_eq_const %x, dense<[1.0, 2.5]> : tensor<2xf32>', false],
    ['check.expect_almost_eq_const %x, dense<[1.0, 2.00005]> : tensor<2xf32>', true],
    ['check.expect_almost_eq_const %x, dense<[1.0, 2.5]> : tensor<2xf32>', false],
    ['check.expect_almost_eq_const %x, dense<[1.0, 2.5]> : tensor<2xf32> {tolerance = 0.6 : f64}', true],
    ['check.expect_eq %x, %x : tensor<2xf32>', true],
    ['check.expect_close %x, %x, max_ulp_difference = 3 : tensor<2xf32>, tensor<2xf32>', true],
    ['check.expect_close %x, %x, max_ulp_difference = 3, min_ulp_difference = 1 : tensor<2xf32>, tensor<2xf32>', false],
    ['stablehlo.custom_call @check.expect_eq(%x, %x) {has_side_effect = true} : (tensor<2xf32>, tensor<2xf32>) -> ()', true],
    ['%y = stablehlo.add %x, %x : tensor<2xf32>\nstablehlo.custom_call @check.expect_close(%x, %y) {has_side_effect = true} : (tensor<2xf32>, tensor<2xf32>) -> ()', false],
  ])('%s: %s', (body, holds) => {
    expect(outcome(body) === undefined).toBe(holds)
    const text = printModule(program(body))
    expect(printModule(parseModule(text))).toBe(text)
  })

  it('say which element differs, and where the check stands', () => {
    expect(outcome('check.expect_eq_const %x, dense<[1.0, 2.5]> : tensor<2xf32>')).toMatchInlineSnapshot(`
      "check.expect_eq_const: f32[2] is 2 at [1], expected 2.5 exactly; 1 of 2 elements do not agree
        at model.mlir:3:1"
    `)
  })

  it('compare with what probes saw, in order', () => {
    const body = (iter: number, id = 'a') => `%y = interpreter.probe %x, probe_id = "a" : tensor<2xf32>
%z = stablehlo.add %y, %y : tensor<2xf32>
%w = interpreter.probe %z, probe_id = "a" : tensor<2xf32>
check.expect_serialized_eq %z, probe_id = "${id}", iter = ${iter} : tensor<2xf32>`
    expect(outcome(body(1))).toBeUndefined()
    expect(outcome(body(0))).toContain('f32[2] is 1 at [0], expected 2 exactly')
    expect(() => outcome(body(2))).toThrow('probe "a" saw 2 values, there is none with iter = 2')
    expect(() => outcome(body(0, 'b'))).toThrow('probe "b" saw 0 values')
  })
})
