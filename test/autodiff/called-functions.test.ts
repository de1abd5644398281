import { describe, expect, it } from 'vitest'
import {
  DifferentiationError, HostArray, type Tensor, checkpoint, composite, cond, customCall, customVjp, evaluate, f32, grad, lower, outlined, scan, scope, tanh, vjp,
} from 'engram'

const x = HostArray.from('f32', [1, 2, 3])
const w = HostArray.from('f32', [4, 5, 6])
const sumGrad = (fn: (x: Tensor) => Tensor) => grad((x: Tensor) => fn(x).sum())

/** x^3, as a function of the module and as a composite. */
const cubes: [string, (x: Tensor) => Tensor][] = [
  ['function', outlined('cube', (x: Tensor) => x.mul(x).mul(x))],
  ['composite', (x: Tensor) => composite('test.cube', [x], (x) => x.mul(x).mul(x))],
]

describe('gradients through calls', () => {
  it('put the operations of a function where its call stood, once', () => {
    const square = outlined('square', (x: Tensor) => x.mul(x))
    expect(lower(sumGrad((x) => square(square(x))), f32(3)).text).toMatchInlineSnapshot(`
      "module @program {
        func.func public @main(%arg0: tensor<3xf32>) -> tensor<3xf32> {
          %0 = stablehlo.multiply %arg0, %arg0 : tensor<3xf32>
          %1 = stablehlo.constant dense<1.0> : tensor<f32>
          %2 = stablehlo.broadcast_in_dim %1, dims = [] : (tensor<f32>) -> tensor<3xf32>
          %3 = stablehlo.multiply %2, %0 : tensor<3xf32>
          %4 = stablehlo.multiply %2, %0 : tensor<3xf32>
          %5 = stablehlo.add %3, %4 : tensor<3xf32>
          %6 = stablehlo.multiply %5, %arg0 : tensor<3xf32>
          %7 = stablehlo.multiply %5, %arg0 : tensor<3xf32>
          %8 = stablehlo.add %6, %7 : tensor<3xf32>
          return %8 : tensor<3xf32>
        }
      }
      "
    `)
  })

  it('leave the function to the calls that are not differentiated', () => {
    const square = outlined('square', (x: Tensor) => x.mul(x))
    const { text } = lower((x: Tensor) => [sumGrad(square)(x), square(x)], f32(3))
    expect(text.match(/call @square/g)).toHaveLength(1)
    expect(text.match(/func.func private @square/g)).toHaveLength(1)
  })

  it.each(cubes)('of higher order: %s', (_, cube) => {
    expect(evaluate(sumGrad(cube), x).toNested()).toEqual([3, 12, 27])
    expect(evaluate(sumGrad(sumGrad(cube)), x).toNested()).toEqual([6, 12, 18])
    expect(evaluate(sumGrad(sumGrad(sumGrad(cube))), x).toNested()).toEqual([6, 6, 6])
  })

  it.each(cubes)('inside a checkpoint: %s', (_, cube) => {
    expect(evaluate(sumGrad(checkpoint(sumGrad(cube))), x).toNested()).toEqual([6, 12, 18])
    expect(evaluate(sumGrad(checkpoint((x: Tensor) => cube(cube(x)))), HostArray.from('f32', [1, 2])).toNested()).toEqual([9, 9 * 2 ** 8])
  })

  it.each([
    ['function', outlined('mixed', (x: Tensor, w: Tensor) => x.mul(x).mul(w))],
    ['composite', (x: Tensor, w: Tensor) => composite('test.mixed', [x, w], (x, w) => x.mul(x).mul(w))],
    ['loop', (x: Tensor, w: Tensor) => scan((c: Tensor, row: Tensor) => [c, c.mul(c).mul(row)] as const, x, w.expandDims(0))[1].slice(0)],
  ] as [string, (x: Tensor, w: Tensor) => Tensor][])('with respect to what the inner gradient held fixed: %s', (_, fn) => {
    // The slope of x^2 w in x is 2xw, whose slope in w is 2x.
    const inner = (x: Tensor, w: Tensor) => sumGrad((x) => fn(x, w))(x)
    expect(evaluate((x: Tensor, w: Tensor) => sumGrad((w) => inner(x, w))(w), x, w).toNested()).toEqual([2, 4, 6])
  })

  it('keep the rules of what is called', () => {
    const tenfold = customVjp((x: Tensor) => [x.mul(2), x] as const, (x: Tensor, d: Tensor) => [d.mul(x).mul(10)])
    const fn = outlined('ruled', (x: Tensor) => tenfold(x).add(checkpoint((y: Tensor) => y.mul(y))(x)))
    expect(evaluate(sumGrad(fn), x).toNested()).toEqual([12, 24, 36])
    expect(evaluate(sumGrad(sumGrad(fn)), x).toNested()).toEqual([12, 12, 12])
  })

  it('go through functions that give back what they get, and through branches', () => {
    const swap = outlined('swap', (a: Tensor, b: Tensor) => [b, a, b] as const)
    const fn = (a: Tensor, b: Tensor) => swap(a, b)[0].mul(2).add(swap(a, b)[1].mul(3)).add(swap(a, b)[2])
    expect(evaluate((a: Tensor, b: Tensor) => grad((a: Tensor, b: Tensor) => fn(a, b).sum(), { wrt: [0, 1] })(a, b), x, w).map((d) => d.toNested())).toEqual([[3, 3, 3], [3, 3, 3]])
    const square = outlined('square', (x: Tensor) => x.mul(x))
    const branchy = (x: Tensor) => cond(x.sum().gt(0), () => square(x), () => x)
    expect(evaluate(sumGrad(branchy), x).toNested()).toEqual([2, 4, 6])
  })

  it('can be pulled back more than once', () => {
    const product = (x: Tensor) => scan((c: Tensor, x: Tensor) => [c.mul(x), c] as const, x.slice(0), x)[0]
    const square = outlined('square', (x: Tensor) => x.mul(x))
    for (const fn of [product, square, (x: Tensor) => tanh(square(x))]) {
      const [one, two] = evaluate((x: Tensor) => {
        const { output, pullback } = vjp(fn, x)
        const ones = output.mul(0).add(1)
        return [pullback(ones)[0], pullback(ones.mul(2))[0]]
      }, x)
      expect(one.data.some((value) => value !== 0)).toBe(true)
      expect(two.toNested()).toEqual((one.toNested() as number[]).map((value) => value * 2))
    }
  })

  it('say where an op without a gradient stands, and where its function was called', () => {
    const opaque = outlined('opaque', (x: Tensor) => scope('inside', () => customCall('nobody', [x], [x.type])[0]))
    let message = ''
    try {
      lower(sumGrad((x) => scope('layer0', () => opaque(x))), f32(3))
    } catch (error) {
      if (error instanceof DifferentiationError) ({ message } = error)
    }
    expect(message.replace(/[^ (]*(called-functions\.test\.ts):\d+:\d+/g, '$1')).toMatchInlineSnapshot(`
      "custom_call @nobody has no gradient: wrap it with customVjp
        at called-functions.test.ts in layer0/inside, called at called-functions.test.ts"
    `)
  })
})
