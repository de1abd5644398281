/**
 * `npx tsx scripts/accuracy/functions.ts f64 | python scripts/accuracy/reference.py`: how far the interpreter's functions are from the exact values.
 * This side draws arguments and computes; one JSON line for each function, numbers as their bits in hexadecimal.
 */
import { SeededRandom } from '../../src/data/random.ts'
import type { DType } from '../../src/ir/dtypes.ts'
import { f64Bits } from '../../src/ir/float-bits.ts'
import { HostArray } from '../../src/ir/host-array.ts'
import type { Tensor } from '../../src/ir/module.ts'
import * as chlo from '../../src/ops/chlo-math.ts'
import * as binary from '../../src/ops/elementwise-binary.ts'
import * as unary from '../../src/ops/elementwise-unary.ts'
import { binaryBuilder, unaryBuilder } from '../../src/ops/elementwise.ts'
import { evaluate } from '../../src/program/evaluate.ts'

/** Draws one argument: values of all magnitudes, or evenly spread ones. */
type Draw = (random: SeededRandom) => number

const fraction = (random: SeededRandom): number => (random.uint32() + random.uint32() / 2 ** 32) / 2 ** 32
const between = (low: number, high: number): Draw => (random) => low + (high - low) * fraction(random)
/** Magnitudes from `2 ** low` to `2 ** high`, of both signs or above 0. */
const magnitude = (low: number, high: number, signed = true): Draw => (random) =>
  (signed && random.below(2) ? -1 : 1) * 2 ** (low + (high - low) * fraction(random))
const either = (...draws: readonly Draw[]): Draw => (random) => draws[random.below(draws.length)](random)

/** The functions, and where their arguments are drawn. The names are those that `reference.py` knows. */
export const functions: Readonly<Record<string, { readonly of: (...args: Tensor[]) => Tensor; readonly draws: readonly Draw[] }>> = {
  exp: { of: unary.exponential, draws: [either(between(-700, 700), magnitude(-60, 9))] },
  expm1: { of: unary.exponentialMinusOne, draws: [either(between(-40, 700), magnitude(-60, 9))] },
  log: { of: unary.log, draws: [either(magnitude(-1000, 1000, false), between(0.5, 2))] },
  log1p: { of: unary.logPlusOne, draws: [either(magnitude(-60, 100, false), between(-0.999, 2))] },
  logistic: { of: unary.logistic, draws: [either(between(-700, 40), magnitude(-60, 5))] },
  tanh: { of: unary.tanh, draws: [either(between(-20, 20), magnitude(-60, 4))] },
  sqrt: { of: unary.sqrt, draws: [magnitude(-1000, 1000, false)] },
  rsqrt: { of: unary.rsqrt, draws: [magnitude(-1000, 1000, false)] },
  cbrt: { of: unary.cbrt, draws: [magnitude(-1000, 1000)] },
  sin: { of: unary.sine, draws: [either(between(-10, 10), magnitude(-60, 100))] },
  cos: { of: unary.cosine, draws: [either(between(-10, 10), magnitude(-60, 100))] },
  tan: { of: unary.tan, draws: [either(between(-10, 10), magnitude(-60, 100))] },
  atan2: { of: binary.atan2, draws: [magnitude(-100, 100), magnitude(-100, 100)] },
  pow: { of: binary.power, draws: [either(magnitude(-10, 10, false), between(0.9, 1.1)), between(-60, 60)] },
  acos: { of: chlo.acos, draws: [between(-1, 1)] },
  acosh: { of: chlo.acosh, draws: [either(between(1, 3), magnitude(0, 500, false))] },
  asin: { of: chlo.asin, draws: [either(between(-1, 1), magnitude(-60, 0))] },
  asinh: { of: chlo.asinh, draws: [either(between(-3, 3), magnitude(-60, 500))] },
  atan: { of: chlo.atan, draws: [either(between(-3, 3), magnitude(-60, 100))] },
  atanh: { of: chlo.atanh, draws: [either(between(-1, 1), magnitude(-60, 0))] },
  cosh: { of: chlo.cosh, draws: [between(-700, 700)] },
  sinh: { of: chlo.sinh, draws: [either(between(-700, 700), magnitude(-60, 5))] },
  erf: { of: unaryBuilder(chlo.erfOp), draws: [either(between(-6, 6), magnitude(-60, 2))] },
  erfc: { of: unaryBuilder(chlo.erfcOp), draws: [either(between(-6, 26), magnitude(-60, 2))] },
  erf_inv: { of: unaryBuilder(chlo.erfInvOp), draws: [either(between(-1, 1), magnitude(-60, 0), (random) => 1 - magnitude(-50, -1, false)(random))] },
  lgamma: { of: unaryBuilder(chlo.lgammaOp), draws: [either(between(-20, 20), magnitude(-60, 500, false), between(0.5, 3))] },
  digamma: { of: unaryBuilder(chlo.digammaOp), draws: [either(between(-20, 20), magnitude(-60, 500, false), between(1, 2))] },
  trigamma: { of: (x) => binaryBuilder(chlo.polygammaOp)(one(x), x), draws: [either(between(0.01, 20), magnitude(-10, 100, false))] },
  zeta: { of: binaryBuilder(chlo.zetaOp), draws: [between(1.1, 30), between(0.1, 30)] },
  bessel_i1e: { of: unaryBuilder(chlo.besselI1eOp), draws: [either(between(-40, 40), magnitude(-60, 100))] },
}
const one = (x: Tensor): Tensor => unary.exponential(binary.minimum(binary.maximum(x, 0), 0))

/** Arguments of a function and what the interpreter makes of them, in an element type. */
export function sample(name: string, dtype: DType, count: number, seed: number): { args: HostArray[]; results: HostArray } {
  const { of, draws } = functions[name]
  const random = new SeededRandom('accuracy', name, seed)
  const args = draws.map((draw) => HostArray.of(dtype, [count], Array.from({ length: count }, () => draw(random))))
  return { args, results: evaluate(of as (...tensors: Tensor[]) => Tensor, ...args) as HostArray }
}

if (process.argv[1]?.endsWith('functions.ts')) {
  const [dtype = 'f64', count = '4000'] = process.argv.slice(2)
  const bits = (array: HostArray): string[] => Array.from(array.data as Float64Array, (value) => f64Bits(value).toString(16))
  for (const name of Object.keys(functions)) {
    const { args, results } = sample(name, dtype as DType, Number(count), 1)
    process.stdout.write(`${JSON.stringify({ name, dtype, args: args.map(bits), results: bits(results) })}\n`)
  }
}
