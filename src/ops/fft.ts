import { type FftKind, fftArray } from '../host/fft.ts'
import { dtypes } from '../ir/dtypes.ts'
import { OpError } from '../ir/errors.ts'
import type { Tensor } from '../ir/module.ts'
import type { InferContext } from '../ir/op-definition.ts'
import { DYNAMIC, type TensorType, shortType, tensorType, typeText } from '../ir/types.ts'
import { emit } from '../trace/emit.ts'
import { multiply, negate } from './arithmetic.ts'
import { attributeDictionary, form, functional, integerList, operandList, word } from './assembly.ts'
import * as codec from './codecs.ts'
import { complex, imag, real } from './complex.ts'
import { compare } from './compare.ts'
import { fill } from './constant.ts'
import { convert } from './convert.ts'
import { defineOp } from './define.ts'
import { agreeWithInferred } from './inferred-types.ts'
import { iota } from './iota.ts'
import { needTensor, withShape } from './result-type.ts'
import { select } from './select.ts'
import { pad } from './slice-pad.ts'

const kinds = ['FFT', 'IFFT', 'RFFT', 'IRFFT'] as const satisfies readonly FftKind[]

interface FftAttributes {
  readonly fft_type: FftKind
  readonly fft_length: readonly number[]
}

/**
 * Discrete Fourier transform of the last one to three axes: of complex numbers (`FFT`, and `IFFT`, its inverse), or of real ones to the
 * half of the transform that is not the mirror of the other (`RFFT`, and `IRFFT`, its inverse). Source: specification, "fft".
 */
export const fftOp = defineOp({
  name: 'stablehlo.fft',
  operands: ['operand'],
  results: ['result'],
  regions: [],
  attributes: { fft_type: codec.enumeration('fft_type', kinds), fft_length: codec.i64Array },
  assembly: form(
    operandList,
    word('fft_type', 'fft_type', { label: 'type', comma: true }),
    integerList('fft_length', 'length'),
    attributeDictionary,
    functional,
  ),
  infer: (context) => agreeWithInferred([fftType(context)], context.results, context.fail, 'fft_c2'),
  evaluate: ({ arrays: [operand], attributes: { fft_type, fft_length }, resultTypes }) => {
    const axes = operand.shape.slice(operand.shape.length - fft_length.length)
    if (fft_type !== 'IRFFT' && axes.some((size, i) => size !== fft_length[i]))
      throw new OpError('fft', `the last axes of ${shortType(operand.type)} must have the sizes [${fft_length}]`, 'fft_c4')
    return [fftArray(operand, fft_type, fft_length, staticShape(resultTypes[0] as TensorType, operand.shape, fft_type, fft_length))]
  },
  vjp: ({ operands: [operand], cotangents: [d], attributes: { fft_type, fft_length } }) => {
    if (!d) return [null]
    switch (fft_type) {
      case 'FFT':
      case 'IFFT':
        // The matrix of the transform is symmetric.
        return [fft(d, fft_type, fft_length)]
      case 'RFFT': {
        // The real part of the whole transform of what is known of half of it.
        const missing = fft_length[fft_length.length - 1] - d.shape[d.rank - 1]
        const none = d.shape.map(() => 0)
        const whole = pad(d, fill(0, tensorType(d.dtype, [])), none, none.map((_, axis) => (axis === d.rank - 1 ? missing : 0)), none)
        return [real(fft(whole, 'FFT', fft_length))]
      }
      case 'IRFFT':
        return [realInverseCotangent(operand, d, fft_length)]
    }
  },
})

/** The conjugate of the cotangent's transform; elements that stand for their mirror too count twice. */
function realInverseCotangent(operand: Tensor, d: Tensor, lengths: readonly number[]): Tensor {
  const half = fft(d, 'RFFT', lengths)
  const length = lengths[lengths.length - 1]
  const total = lengths.reduce((product, size) => product * size, 1)
  const axis = operand.rank - 1
  const part = tensorType(d.dtype, operand.shape)
  const position = convert(iota(tensorType('i32', operand.shape), axis), d.dtype)
  const inside = compare(position, 0, 'GT')
  const weight = (x: number) => fill(x / total, part)
  const doubled = select(inside, weight(2), weight(1))
  const weights = length % 2 === 0 && length > 0 ? select(compare(position, length / 2, 'EQ'), weight(1), doubled) : doubled
  return complex(multiply(real(half), weights), negate(multiply(imag(half), weights)))
}

const innermost = (type: TensorType, lengths: readonly number[]): readonly number[] => type.shape.slice(type.shape.length - lengths.length)

function fftType({ operands, attributes: { fft_type: kind, fft_length: lengths }, fail }: InferContext<FftAttributes>): TensorType {
  const operand = needTensor('operand', operands[0], fail)
  const info = dtypes[operand.dtype]
  const count = lengths.length
  if (count < 1 || count > 3) fail(`rank must be between 1 and 3, but got ${count}.`, 'fft_c3')
  if (kind === 'RFFT' ? operand.dtype !== 'f32' && operand.dtype !== 'f64' : info.kind !== 'complex')
    fail(
      kind === 'RFFT' ? `${kind} requires f32 or f64 input type, but is given ${info.text}.` : `${kind} takes a complex tensor as input, but is given ${typeText(operand)}.`,
      'fft_c2',
    )
  if (operand.shape.length < count) fail(`operand rank must not be less than fft rank of ${count} for operand of type '${typeText(operand)}'`, 'fft_c1')
  checkLengths(operand, kind, lengths, fail)
  const dtype = kind === 'RFFT' ? (operand.dtype === 'f32' ? 'c64' : 'c128') : kind === 'IRFFT' && info.kind === 'complex' ? info.part : operand.dtype
  const sizes = [...operand.shape]
  const last = sizes.length - 1
  if (kind === 'RFFT' && sizes[last] !== DYNAMIC) sizes[last] = halved(lengths[count - 1])
  if (kind === 'IRFFT') sizes[last] = lengths[count - 1]
  return { ...withShape(operand, sizes, operand.bounds), dtype }
}

/** Sizes of the elements of a real signal's transform that are not mirrors of others. */
const halved = (length: number): number => (length === 0 ? 0 : Math.floor(length / 2) + 1)

/** As upstream prints an unknown size here. */
const sizeText = (size: number): string => (size === DYNAMIC ? '-9223372036854775808' : String(size))

function checkLengths(operand: TensorType, kind: FftKind, lengths: readonly number[], fail: InferContext<unknown>['fail']): void {
  const sizes = innermost(operand, lengths)
  const last = lengths.length - 1
  const got = operand.shape.map(sizeText).join(', ')
  const differs = (i: number) => sizes[i] !== DYNAMIC && sizes[i] !== lengths[i]
  if (kind === 'RFFT' && lengths.some((_, i) => differs(i)))
    fail(`RFFT requires innermost dimensions to be compatible with fft_length. Got: ${got} but wanted ${lengths.join(', ')}.`, 'fft_c4')
  if (kind !== 'IRFFT') return
  for (let i = 0; i < last; i++)
    if (differs(i))
      fail(
        `IRFFT requires non-final dimensions to be compatible with fft_length. Got: ${got} but wanted ${lengths.join(', ')}, and ${sizes[i]} != ${lengths[i]}.`,
        'fft_c5',
      )
  if (sizes[last] !== DYNAMIC && sizes[last] !== halved(lengths[last]))
    fail(
      `IRFFT requires innermost dimension to be compatible with fft_length[-1]/2+1. Got: ${sizes[last]} but fft_length is ${lengths[last]}.`,
      'fft_c5',
    )
}

/** The result's type with the sizes that the operand turned out to have. */
function staticShape(type: TensorType, shape: readonly number[], kind: FftKind, lengths: readonly number[]): TensorType {
  const sizes = [...shape]
  const length = lengths[lengths.length - 1]
  if (kind === 'RFFT') sizes[sizes.length - 1] = halved(length)
  if (kind === 'IRFFT') sizes[sizes.length - 1] = length
  return tensorType(type.dtype, sizes)
}

/**
 * Discrete Fourier transform of the last axes, as many as `lengths` has: their sizes in the signal, also for `IRFFT`. The last axis alone
 * if absent. `RFFT`: `f32[n] -> c64[n/2+1]`; `IRFFT`: `c64[n/2+1] -> f32[n]`. Throws `OpError`.
 */
export function fft(operand: Tensor, kind: FftKind = 'FFT', lengths: readonly number[] = [operand.shape[operand.rank - 1]]): Tensor {
  return emit(fftOp, [operand], { fft_type: kind, fft_length: lengths }).results[0] as Tensor
}
