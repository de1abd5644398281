import { type RandomAlgorithm, randomBits } from '../host/random-bits.ts'
import { wrapInteger } from '../host/elementwise.ts'
import { type DType, dtypes } from '../ir/dtypes.ts'
import { roundFloat } from '../ir/float-bits.ts'
import { HostArray, allocate } from '../ir/host-array.ts'
import type { Tensor } from '../ir/module.ts'
import { type TensorType, DYNAMIC, elementCount, isTensorType, sameType, shortType, tensorType, typeText } from '../ir/types.ts'
import { emit } from '../trace/emit.ts'
import { attributeDictionary, form, functional, operandList, word } from './assembly.ts'
import * as codec from './codecs.ts'
import { constant } from './constant.ts'
import { defineOp, notDifferentiable, zeroGradient } from './define.ts'
import { agree, needTensor } from './result-type.ts'
import { constantIntegers } from './shape-operand.ts'

export const rngAlgorithms = ['DEFAULT', 'THREE_FRY', 'PHILOX'] as const
export type RngAlgorithm = (typeof rngAlgorithms)[number]

/**
 * Random bits from a state, and the state to go on with: a pure function, the same on every machine for `THREE_FRY` and `PHILOX`.
 * `DEFAULT` is left to the implementation; the interpreter takes `THREE_FRY`. Source: specification, "rng_bit_generator".
 */
export const rngBitGeneratorOp = defineOp({
  name: 'stablehlo.rng_bit_generator',
  operands: ['initial_state'],
  results: ['output_state', 'output'],
  regions: [],
  attributes: { rng_algorithm: codec.enumeration('rng_algorithm', rngAlgorithms) },
  assembly: form(operandList, word('rng_algorithm', 'rng_algorithm', { label: 'algorithm', comma: true }), attributeDictionary, functional),
  traits: { knownSizes: ['output'] },
  infer: ({ operands, attributes, results, fail }) => {
    const state = needTensor('initial_state', operands[0], fail)
    if (state.shape.length !== 1 || dtypes[state.dtype].kind !== 'unsigned' && dtypes[state.dtype].kind !== 'signed')
      fail(`initial_state must be a list of integers, got ${shortType(state)}`, 'rng_bit_generator_i2')
    const [next, output] = results ?? []
    if (!next || !output || !isTensorType(next) || !isTensorType(output)) return fail('needs result types: the state and the bits')
    if (next.dtype !== state.dtype || next.shape.length !== 1 || (next.shape[0] >= 0 && state.shape[0] >= 0 && next.shape[0] !== state.shape[0]))
      fail(`output_state ${shortType(next)} differs from initial_state ${shortType(state)}`, 'rng_bit_generator_c1')
    const [size] = state.shape
    const { rng_algorithm: algorithm } = attributes
    if (size >= 0 && ((algorithm === 'THREE_FRY' && size !== 2) || (algorithm === 'PHILOX' && size !== 2 && size !== 3)))
      fail(`initial_state ${shortType(state)} has ${size} elements, ${algorithm} takes ${algorithm === 'PHILOX' ? '2 or 3' : '2'}`, 'rng_bit_generator_c2')
    const { kind } = dtypes[output.dtype]
    if (kind === 'bool' || kind === 'complex') fail(`output must have integers or floats, got ${shortType(output)}`, 'rng_bit_generator_o2')
    return [next, output]
  },
  evaluate: ({ arrays: [state], attributes, resultTypes }) => {
    const words = BigUint64Array.from(state.data as ArrayLike<number | bigint>, (word) => BigInt.asUintN(64, BigInt(word)))
    const algorithm: RandomAlgorithm = attributes.rng_algorithm === 'PHILOX' ? 'PHILOX' : 'THREE_FRY'
    const { state: next, bits } = randomBits(algorithm, words, resultTypes[1] as TensorType)
    return [HostArray.fromBytes(state.type, new Uint8Array(next.buffer)), bits]
  },
  vjp: zeroGradient('its results are random bits'),
})

/**
 * Random bits of a type from `state` (`u64[2]`: a key and a counter; `PHILOX` also takes `u64[3]`), and the next state. Throws `OpError`.
 */
export function rngBitGenerator(state: Tensor, shape: readonly number[], dtype: DType = 'u32', algorithm: RngAlgorithm = 'THREE_FRY'): { state: Tensor; bits: Tensor } {
  const [next, bits] = emit(rngBitGeneratorOp, [state], { rng_algorithm: algorithm }, { results: [state.type, tensorType(dtype, shape)] }).results as readonly Tensor[]
  return { state: next, bits }
}

export const rngDistributions = ['UNIFORM', 'NORMAL'] as const
export type RngDistribution = (typeof rngDistributions)[number]

/** Draws so far in this run of the interpreter. */
const drawsKey = 'stablehlo.rng'

/**
 * Random numbers from a generator that the implementation hides. `UNIFORM`: in `[a, b)`; `NORMAL`: mean `a`, standard deviation `b`.
 * The interpreter gives the same numbers in every run. Source: specification, "rng".
 */
export const rngOp = defineOp({
  name: 'stablehlo.rng',
  operands: ['a', 'b', 'shape'],
  results: ['result'],
  regions: [],
  attributes: { rng_distribution: codec.enumeration('rng_distribution', rngDistributions) },
  assembly: form(operandList, word('rng_distribution', 'rng_distribution', { label: 'distribution', comma: true }), attributeDictionary, functional),
  traits: { effect: true, knownSizes: ['shape'], indexOperands: ['shape'] },
  infer: (context) => {
    const { operands, attributes, results, fail } = context
    const [a, b, shape] = operands.map((operand, i) => needTensor(['a', 'b', 'shape'][i], operand, fail))
    for (const [i, limit] of [a, b].entries())
      if (limit.shape.length) fail(`operand #${i} must be 0D tensor of boolean, integer or floating-point values, but got '${typeText(limit)}'`, `rng_i${i + 1}`)
    if (shape.shape.length !== 1 || !['signed', 'unsigned'].includes(dtypes[shape.dtype].kind))
      fail(`operand #2 must be statically shaped 1-dimensional tensor of integer values, but got '${typeText(shape)}'`, 'rng_i3')
    const result = results?.[0]
    if (!result || !isTensorType(result)) return fail('needs a result type')
    if (!sameType(a, b) || result.dtype !== a.dtype) fail(`a ${shortType(a)}, b ${shortType(b)} and the result ${shortType(result)} differ in element type`, 'rng_c1')
    if (attributes.rng_distribution === 'NORMAL' && dtypes[a.dtype].kind !== 'float') fail(`NORMAL needs floats, got ${shortType(a)}`, 'rng_c2')
    if (dtypes[a.dtype].kind === 'complex') fail(`a must hold booleans, integers or floats, got ${shortType(a)}`, 'rng_i1')
    // The sizes themselves are known if they are a constant.
    const sizes = constantIntegers(context, 2)
    return agree(tensorType(a.dtype, sizes ?? new Array<number>(Math.max(shape.shape[0], 0)).fill(DYNAMIC)), results, fail, 'rng_c3')
  },
  evaluate: ({ arrays: [a, b, shape], attributes, resultTypes, shared }) => {
    const { dtype } = resultTypes[0] as TensorType
    const type = tensorType(dtype, Array.from(shape.data as ArrayLike<number | bigint>, Number))
    const draws = (shared.get(drawsKey) as bigint | undefined) ?? 0n
    const count = elementCount(type.shape)
    const { state, bits } = randomBits('THREE_FRY', BigUint64Array.of(0n, draws), tensorType('u32', [count, 2]))
    shared.set(drawsKey, state[1])
    return [draw(attributes.rng_distribution, a, b, type, bits.data as Uint32Array)]
  },
  vjp: notDifferentiable('its numbers come from a hidden generator: draw bits with rngBitGenerator and compute the numbers from them'),
})

function draw(distribution: RngDistribution, a: HostArray, b: HostArray, type: TensorType, words: Uint32Array): HostArray {
  const out = allocate(type.dtype, elementCount(type.shape))
  const { kind, bits } = dtypes[type.dtype]
  for (let i = 0; i < out.length; i++) {
    const [low, high] = [words[2 * i], words[2 * i + 1]]
    if (kind === 'float') {
      const [from, to] = [a.data[0] as number, b.data[0] as number]
      const unit = ((high >>> 5) * 2 ** 26 + (low >>> 6)) / 2 ** 53
      const value = distribution === 'NORMAL'
        ? from + to * Math.sqrt(-2 * Math.log1p(-high / 2 ** 32)) * Math.cos((2 * Math.PI * low) / 2 ** 32)
        : from + (to - from) * unit
      const rounded = roundFloat(type.dtype, value)
      // Rounding may reach the open end.
      out[i] = distribution === 'UNIFORM' && rounded >= to && from < to ? from : rounded
    } else if (bits === 64) {
      const span = (b.data[0] as bigint) - (a.data[0] as bigint)
      out[i] = (a.data[0] as bigint) + (span > 0n ? ((BigInt(high) << 32n) | BigInt(low)) % span : 0n)
    } else {
      const [from, span] = [a.data[0] as number, (b.data[0] as number) - (a.data[0] as number)]
      const value = from + (span > 0 ? (high * 2 ** 20 + (low >>> 12)) % span : 0)
      out[i] = kind === 'bool' ? value : wrapInteger(type.dtype, value)
    }
  }
  return new HostArray(type, out)
}

/** Random numbers of the element type of `a` and `b` (rank 0), `UNIFORM` in `[a, b)` or `NORMAL` with mean `a` and deviation `b`. Throws `OpError`. */
export function rng(a: Tensor, b: Tensor, shape: readonly number[], distribution: RngDistribution): Tensor {
  const sizes = constant(HostArray.of('i64', [shape.length], shape))
  return emit(rngOp, [a, b, sizes], { rng_distribution: distribution }, { results: [tensorType(a.dtype, shape)] }).results[0] as Tensor
}
