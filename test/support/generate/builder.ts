import { type DType, dtypes } from '../../../src/ir/dtypes.ts'
import type { HostArray } from '../../../src/ir/host-array.ts'
import { Func, Module, type Operation, Tensor } from '../../../src/ir/module.ts'
import { type TensorType, elementCount, sameType, tensorType } from '../../../src/ir/types.ts'
import { constantOp } from '../../../src/ops/constant.ts'
import { funcReturnOp } from '../../../src/ops/return.ts'
import { emit } from '../../../src/trace/emit.ts'
import { withFrame } from '../../../src/trace/frame.ts'
import { Draws } from './draws.ts'
import { type ValueKind, drawValues } from './values.ts'

/** One step of a recipe: which generator, and the numbers it makes its choices with. */
export interface Step {
  readonly op: string
  readonly draws: readonly number[]
}

/** Adds one op (and what it needs) to the program under construction. */
export type Generator = (program: ProgramBuilder) => void

/** A generated program: every value that `@main` computes is one of its results. */
export interface GeneratedProgram {
  readonly module: Module
  readonly inputs: readonly HostArray[]
  /** The results in order: what an op of `@main` defines. */
  readonly results: readonly Tensor[]
}

/**
 * Element types that XLA on the CPU holds, the everyday ones several times so that they are drawn more often. Not here: `f8E8M0FNU` and
 * `f4E2M1FN`, which lack a zero, a sign, infinities or NaN, so that most results are open; `i2` and `u2`, on which XLA ends with failed checks
 * of its own (xla-bugs/concatenate-two-bits); the formats without a negative zero, of which XLA's quick compiler makes NaN
 * (xla-bugs/convert-f8-to-fnuz) and other wrong numbers (xla-bugs/f8e5m2fnuz-smallest-normal).
 */
export const commonDTypes: readonly DType[] = [
  'f32', 'f32', 'f32', 'i32', 'i32', 'bool', 'f64', 'f64', 'bf16', 'f16', 'u8', 'i8', 'i16', 'u16', 'u32', 'i64', 'u64', 'c64', 'c128',
  'i4', 'u4', 'f8E4M3FN', 'f8E5M2', 'f8E3M4', 'f8E4M3',
]

/** Larger arrays add time, not cases. */
const mostElements = 300

/**
 * A program while it is generated. A generator asks it for operands of a type; it gives a value that an earlier op computed, so that ops
 * build on each other, or a new input of the program.
 */
export class ProgramBuilder {
  readonly #main = new Func('main', [])
  readonly #inputs: HostArray[] = []
  readonly #values: Tensor[] = []
  draws = new Draws([])

  /** A new input of the program. */
  input(type: TensorType, kind: ValueKind = 'any', values?: HostArray): Tensor {
    const argument = this.#main.block.addArgument(type) as Tensor
    this.#main.argumentAttributes.push({})
    this.#inputs.push(values ?? drawValues(type, this.draws.below(2 ** 31), kind))
    this.#values.push(argument)
    return argument
  }

  /** A value of a type that is accepted, or a new input of the type that `make` draws. */
  tensor(accept: (type: TensorType, value: Tensor) => boolean, make: () => TensorType, kind: ValueKind = 'any'): Tensor {
    const known = this.#values.filter((value) => accept(value.type, value))
    const chosen = this.draws.below(known.length + 1)
    return chosen === 0 ? this.input(make(), kind) : known[chosen - 1]
  }

  /** A value of exactly this type. */
  like(type: TensorType, kind: ValueKind = 'any'): Tensor {
    return this.tensor((other) => sameType(other, type), () => type, kind)
  }

  /** A value of one of the element types and of a rank between `ranks`. */
  anyOf(list: readonly DType[], ranks: { readonly min?: number; readonly max?: number } = {}, kind: ValueKind = 'any'): Tensor {
    const { min = 0, max = 4 } = ranks
    return this.tensor(
      ({ dtype, shape }) => list.includes(dtype) && shape.length >= min && shape.length <= max,
      () => tensorType(this.dtype(list), this.shape(min, max)),
      kind,
    )
  }

  /** A value to take a slice of at a computed place: not one that was taken so itself, for XLA joins the two wrongly (xla-bugs/dynamic-slice-twice). */
  sliceable(): Tensor {
    const taken = (value: Tensor): boolean => ['stablehlo.dynamic_slice', 'stablehlo.gather'].includes(value.definition?.name ?? '')
    return this.tensor((_, value) => !taken(value), () => tensorType(this.dtype(everyDType), this.shape()))
  }

  /** One of the element types, everyday ones more often. */
  dtype(list: readonly DType[]): DType {
    const wanted = new Set(list)
    const usual = commonDTypes.filter((dtype) => wanted.has(dtype))
    return this.draws.pick(usual.length > 0 ? usual : list)
  }

  /** A shape of some rank; sizes of 0 and 1 among them, now and then a long axis. */
  shape(min = 0, max = 4): number[] {
    const rank = min + [1, 2, 0, 3, 1, 2, 4][this.draws.below(7)]
    const shape = Array.from({ length: Math.min(Math.max(rank, min), max) }, () => this.draws.pick([2, 3, 1, 4, 5, 0, 3, 2, 7, 1]))
    if (shape.length > 0 && this.draws.oneIn(12)) shape[this.draws.below(shape.length)] = this.draws.pick([17, 33, 64])
    while (elementCount(shape) > mostElements) shape[shape.indexOf(Math.max(...shape))] = 2
    return shape
  }

  /** Lets a generator add its ops to `@main`; later steps can use what they define. */
  #step(step: Step, generator: Generator): void {
    this.draws = new Draws(step.draws)
    const { operations } = this.#main.block
    const before = operations.length
    generator(this)
    for (const value of operations.slice(before).flatMap(definedTensors)) if (elementCount(value.shape) <= 4 * mostElements) this.#values.push(value)
  }

  /** Builds the whole program by these steps. Throws whatever a generator or an op's rule throws: that is a defect of either. */
  static build(steps: readonly Step[], generators: ReadonlyMap<string, Generator>): GeneratedProgram {
    const builder = new ProgramBuilder()
    const main = builder.#main
    const module = new Module('generated')
    let results: Tensor[] = []
    withFrame({ block: main.block, parent: undefined, constants: new Map(), what: 'generated program', module }, () => {
      for (const step of steps) builder.#step(step, generators.get(step.op)!)
      results = main.block.operations.flatMap(definedTensors)
      emit(funcReturnOp, results, {})
      main.resultTypes = results.map(({ type }) => type)
    })
    module.functions.unshift(main)
    return { module, inputs: builder.#inputs, results }
  }
}

/** What an op contributes to the program: not constants, and no tokens or tuples, which are no results that a runner can read. */
const definedTensors = ({ definition, results }: Operation): Tensor[] =>
  definition === constantOp ? [] : results.filter((value): value is Tensor => value instanceof Tensor)

/** All element types of these kinds that XLA on the CPU holds. */
export const ofKinds = (...kinds: readonly string[]): DType[] => [...new Set(commonDTypes)].filter((dtype) => kinds.includes(dtypes[dtype].kind))
export const everyDType: readonly DType[] = [...new Set(commonDTypes)]
