import { type DType, dtypeFromText, dtypes, integerRange, isInteger } from '../ir/dtypes.ts'
import { isScale } from '../ir/infer.ts'
import { type Quantization, sixDigits } from '../ir/types.ts'
import { token } from './lex.ts'
import { ParserBase } from './parse-base.ts'

/** A quantized element type: how it is stored, and what that stands for. */
export interface QuantizedElement {
  readonly kind: 'quantized'
  readonly dtype: DType
  readonly quantization: Quantization
}

/** Quantized element types, per tensor, per axis and per block. */
export abstract class QuantizedParser extends ParserBase {
  /** `!quant.uniform<i8<-128:127>:f32:0, {0.1:-3, 0.2}>` */
  protected quantized(): QuantizedElement {
    this.advance()
    this.expect('<')
    const storage = this.#quantizedDType('a storage type such as i8', isInteger)
    const range = this.accept('<') ? this.#storageRange(storage) : undefined
    this.expect(':')
    const expressed = this.#quantizedDType('an expressed type such as f32', (dtype) => dtypes[dtype].kind === 'float')
    let axis: number | undefined
    let blocks: { axis: number; size: number }[] | undefined
    if (this.accept(':')) {
      if (this.peek('{')) blocks = this.#blocks()
      else axis = this.smallInteger('an axis')
    }
    this.expect(',')
    const scales: number[] = []
    const zeroPoints: bigint[] = []
    const scaleShape: number[] = []
    const at = this.start
    this.#scales(0, scales, zeroPoints, scaleShape)
    for (const scale of scales) if (!isScale(scale, expressed)) this.errorAt(at, `scale ${sixDigits(scale)} out of expressed type range`)
    this.expect('>', 'to close a quantized type')
    const quantization: Quantization = {
      expressed,
      ...(range && { storageMin: range[0], storageMax: range[1] }),
      scales,
      zeroPoints,
      ...(axis !== undefined && { axis }),
      ...(blocks && { blocks, scaleShape }),
    }
    return { kind: 'quantized', dtype: storage, quantization }
  }

  #quantizedDType(expected: string, fits: (dtype: DType) => boolean): DType {
    const dtype = this.kind === token.word ? dtypeFromText(this.tokenText().replace(/^u(?=\d)/, 'ui')) : undefined
    if (!dtype || !fits(dtype)) return this.error(`expected ${expected}`)
    this.advance()
    return dtype
  }

  /** `-128:127>`; undefined if it is what the storage type has anyway. */
  #storageRange(storage: DType): [bigint, bigint] | undefined {
    const low = this.integer()
    this.expect(':')
    const high = this.integer()
    this.expect('>')
    const { min, max } = integerRange(storage)
    return low === min && high === max ? undefined : [low, high]
  }

  #blocks(): { axis: number; size: number }[] {
    const blocks: { axis: number; size: number }[] = []
    this.expect('{')
    do {
      const axis = this.smallInteger('an axis')
      this.expect(':')
      blocks.push({ axis, size: this.smallInteger('a block size') })
    } while (this.accept(','))
    this.expect('}')
    return blocks
  }

  /** `0.1:-3`, or several of them nested in braces as `shape` then says. */
  #scales(depth: number, scales: number[], zeroPoints: bigint[], shape: number[]): void {
    if (!this.accept('{')) {
      if (depth !== shape.length) this.error(`expected '{': the scales are nested unevenly`)
      const negative = this.accept('-')
      if (this.kind !== token.float && this.kind !== token.integer) this.error('expected a scale')
      const scale = Number(this.tokenText())
      this.advance()
      scales.push(negative ? -scale : scale)
      zeroPoints.push(this.accept(':') ? this.integer() : 0n)
      return
    }
    const first = shape.length === depth
    if (first) {
      // A level below an element that has none.
      if (scales.length > 0) this.error('expected a scale: the scales are nested unevenly')
      shape.push(-1)
    }
    let count = 0
    this.nested(() => {
      do {
        this.#scales(depth + 1, scales, zeroPoints, shape)
        count++
      } while (this.accept(','))
      this.expect('}')
    })
    if (shape[depth] < 0) shape[depth] = count
    else if (shape[depth] !== count) this.error(`expected ${shape[depth]} scales in each of the braces`)
  }
}
