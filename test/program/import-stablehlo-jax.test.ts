import { execFile } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  type DType, DifferentiationError, EngramError, HostArray, type ImportedFunction, type Program, type Session, type Tensor, evaluate, grad, importStableHLO,
  interpretProgram, lower, parseModule, sameModule, scope, startRunner, verifyModule, vjp,
} from 'engram'
import { sameType, tensorType } from '../../src/ir/types.ts'
import { findPython } from '../../src/runner/python.ts'
import { worstError } from '../support/arrays-agree.ts'

/**
 * JAX exports the functions of import-stablehlo.py while this test is loaded, in one process, with inputs, results and gradients. Each is
 * imported, called in a trace, lowered again, interpreted and differentiated here. Tolerances are relative to the larger of 1 and the
 * expected value (`worstError`); each function has its own, 2e-5 for most in f32.
 */
interface StoredArray {
  readonly dtype: string
  readonly shape: readonly number[]
  readonly offset: number
  readonly length: number
}
interface Case {
  readonly name: string
  readonly text: string
  readonly tolerance: number
  readonly inputs: readonly StoredArray[]
  readonly outputs: readonly StoredArray[]
  /** What the results are multiplied with before they are summed, and with respect to which inputs the gradients of that are. */
  readonly cotangents?: readonly StoredArray[]
  readonly wrt: readonly number[]
  readonly gradients: readonly StoredArray[]
}

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'engram-import-'))
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }))

const script = fileURLToPath(new URL('import-stablehlo.py', import.meta.url))
await promisify(execFile)(findPython().command, [script, folder], { env: { ...process.env, JAX_PLATFORMS: 'cpu' } })
const { cases, open_shape: openShape } = JSON.parse(fs.readFileSync(path.join(folder, 'index.json'), 'utf8')) as { cases: Case[]; open_shape: string }
const arrays = fs.readFileSync(path.join(folder, 'arrays.bin'))

const dtypes: Record<string, DType> = {
  bool: 'bool', int8: 'i8', int16: 'i16', int32: 'i32', int64: 'i64', uint8: 'u8', uint16: 'u16', uint32: 'u32', uint64: 'u64',
  float16: 'f16', bfloat16: 'bf16', float32: 'f32', float64: 'f64', complex64: 'c64', complex128: 'c128',
}
const load = ({ dtype, shape, offset, length }: StoredArray): HostArray =>
  HostArray.fromBytes(tensorType(dtypes[dtype], shape), arrays.subarray(offset, offset + length))

const named = (name: string): Case => cases.find((each) => each.name === name)!
type Many = (...args: Tensor[]) => Tensor[]
type Arrays = Program<Tensor[], Tensor[]>

/** An imported function whose results are always a list. */
function imported({ name, text }: Case): Many & Pick<ImportedFunction, 'inputs'> {
  const fn = importStableHLO<Tensor | Tensor[]>(text, { file: `${name}.mlir` })
  const many = (...args: Tensor[]): Tensor[] => [fn(...args)].flat()
  return Object.assign(many, { inputs: fn.inputs })
}

/** The cotangents of the inputs that JAX differentiated; inputs first, then the cotangents of the results. */
function gradientProgram(each: Case): Arrays {
  const fn = imported(each)
  const { wrt, inputs, cotangents } = each
  const run = (...given: Tensor[]): Tensor[] => {
    const args = given.slice(0, inputs.length)
    const chosen = wrt.map((i) => args[i])
    const { pullback } = vjp((...differentiated: Tensor[]) => {
      const all = [...args]
      wrt.forEach((position, i) => (all[position] = differentiated[i]))
      return fn(...all)
    }, ...chosen)
    return pullback(given.slice(inputs.length))
  }
  return lower(run, ...[...inputs, ...cotangents!].map((array) => load(array).type))
}

/** The largest error of all results; Infinity if their number or types differ. */
function worst(actual: readonly HostArray[], expected: readonly StoredArray[]): number {
  const wanted = expected.map(load)
  if (actual.length !== wanted.length || !wanted.every(({ type }, i) => sameType(type, actual[i].type))) return Infinity
  return Math.max(0, ...wanted.map((array, i) => worstError(actual[i], array)))
}

/** Functions whose gradient is refused, and the op that the error names. */
const refused: Record<string, RegExp> = {
  bessel_functions: /^chlo\.bessel_i1e has no gradient.*\n {2}at bessel_functions\.mlir:\d+:\d+.*, called at .*import-stablehlo-jax\.test\.ts:\d+:\d+/,
}

describe('functions that JAX exports', () => {
  it('are many', () => {
    expect(cases.length).toBeGreaterThan(60)
    expect(cases.filter((each) => each.cotangents).length).toBeGreaterThan(40)
    expect(Object.keys(refused).every((name) => named(name)?.cotangents)).toBe(true)
  })

  it.each(cases.filter(({ name }) => name !== 'lapack'))('$name', (each) => {
    const fn = imported(each)
    const program = lower((...args: Tensor[]) => scope('imported', () => fn(...args)), ...fn.inputs)
    expect(worst(interpretProgram(program as Arrays, ...each.inputs.map(load)), each.outputs)).toBeLessThanOrEqual(each.tolerance)
    const again = parseModule(program.text)
    expect(verifyModule(again)).toEqual([])
    expect(sameModule(again, program.module)).toBe(true)
  })

  it.each(cases.filter(({ name, cotangents }) => cotangents && !(name in refused)))('gradient of $name', (each) => {
    const program = gradientProgram(each)
    expect(verifyModule(parseModule(program.text))).toEqual([])
    expect(worst(interpretProgram(program, ...[...each.inputs, ...each.cotangents!].map(load)), each.gradients)).toBeLessThanOrEqual(each.tolerance)
  })

  it.each(Object.entries(refused))('gradient of %s is refused', (name, message) => {
    const run = () => gradientProgram(named(name))
    expect(run).toThrow(DifferentiationError)
    expect(run).toThrow(message)
  })

  it('work inside our own control flow and under gradients of gradients', () => {
    const fn = importStableHLO<Tensor[]>(named('recurrent_network').text)
    const [x, ...weights] = named('recurrent_network').inputs.map(load)
    const loss = (x: Tensor, ...rest: Tensor[]): Tensor => fn(x, ...rest)[0].square().sum()
    const slope = (x: Tensor, ...rest: Tensor[]): Tensor => grad(loss)(x, ...rest).square().sum()
    const first = evaluate(grad(loss), x, ...weights)
    // The slope of |g|^2 along g, by two gradients that differ a little.
    const along = evaluate((x: Tensor, g: Tensor, ...rest: Tensor[]) => grad(slope)(x, ...rest).mul(g).sum(), x, first, ...weights).item()
    const moved = (by: number): number => evaluate((x: Tensor, g: Tensor, ...rest: Tensor[]) => slope(x.add(g.mul(by)), ...rest), x, first, ...weights).item()
    expect(Math.abs((moved(0.02) - moved(-0.02)) / 0.04 / along - 1)).toBeLessThan(0.01)
  })

  it('say which argument has an open shape', () => {
    expect(() => importStableHLO(openShape, { file: 'double.mlir' })).toThrow(/double\.mlir:\d+:\d+: @main: argument 0 is f32\[\?,3\], whose shape is open/)
  })
})

describe('calls of LAPACK', () => {
  const { text, inputs } = named('lapack')
  it('are refused by name in the interpreter and under a gradient', () => {
    const fn = importStableHLO<Tensor[]>(text, { file: 'eigh.mlir' })
    expect(() => evaluate((x: Tensor) => fn(x), load(inputs[0]))).toThrow(/custom_call @lapack_ssyevd_ffi has no meaning in the interpreter/)
    expect(() => evaluate((x: Tensor) => fn(x), load(inputs[0]))).toThrow(EngramError)
    expect(() => lower(grad((x: Tensor) => fn(x)[0].sum()), load(inputs[0]).type)).toThrow(
      /custom_call @lapack_ssyevd_ffi has no gradient: wrap it with customVjp\n {2}at eigh\.mlir:\d+:\d+.*, called at .*test\.ts/,
    )
  })
})

describe('compiled by XLA on the CPU', () => {
  let runner: Session
  beforeAll(async () => {
    runner = await startRunner({ platform: 'cpu' })
  })
  afterAll(() => runner?.close())

  const chosen = [
    'switch', 'scan_nested', 'sort_two_keys', 'at_add', 'convolution_grouped', 'cholesky', 'random_normal', 'rng_bit_generator_philox', 'permutation',
    'fft_complex', 'shadowed.names-1', 'lapack', 'transformer_loss', 'train_step',
  ]
  it.each(chosen)('%s', async (name) => {
    const each = named(name)
    const fn = imported(each)
    const executable = await runner.compile(lower((...args: Tensor[]) => fn(...args), ...fn.inputs))
    expect(worst(await executable.run(...each.inputs.map(load)), each.outputs)).toBeLessThanOrEqual(each.tolerance)
    await executable.release()
  })

  it.each(['scan', 'at_set', 'gaussian_log_density', 'recurrent_network'])('gradient of %s', async (name) => {
    const each = named(name)
    const executable = await runner.compile(gradientProgram(each))
    expect(worst(await executable.run(...[...each.inputs, ...each.cotangents!].map(load)), each.gradients)).toBeLessThanOrEqual(each.tolerance)
    await executable.release()
  })
})
