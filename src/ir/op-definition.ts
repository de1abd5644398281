import type { Assembly } from './assembly.ts'
import type { Attribute } from './attributes.ts'
import type { HostArray } from './host-array.ts'
import type { Func, Module, Operation, Region, Tensor, Value } from './module.ts'
import type { ProcessPlace, StepRule } from './steps.ts'
import type { Rename } from './symbols.ts'
import type { TensorType, Type } from './types.ts'

/**
 * What an op is: everything the passes know about it. There is one such object per op, made by `defineOp` in `ops/`.
 */
export interface OpDefinition<A extends AttributeCodecs = any> {
  /** With its dialect: `stablehlo.add`. */
  readonly name: string
  /** Names in the specification's terms; `inputs...` is variadic, `init?` optional. */
  readonly operands: readonly string[]
  readonly results: readonly string[]
  readonly regions: readonly string[]
  readonly attributes: A
  /** The op's own text form; `generic` is MLIR's form for any op. */
  readonly assembly: Assembly | 'generic'
  readonly traits?: OpTraits
  /** Result types from operands, attributes and regions; throws the op's constraint errors through `fail`. */
  infer(context: InferContext<AttributesOf<A>>): readonly Type[]
  /** Reference semantics. */
  evaluate(context: EvaluateContext<AttributesOf<A>>): readonly HostValue[]
  /**
   * The same semantics with pauses, for ops that run regions or functions or meet other processes: several processes are then
   * interpreted side by side. `evaluate` is then `evaluateSteps`.
   */
  readonly steps?: StepRule<AttributesOf<A>>
  /** Cotangents of the operands, or why there are none. */
  readonly vjp: VjpRule<AttributesOf<A>> | NotDifferentiable
}

export interface OpTraits {
  /** Ends a block; `function` if only a function's own. */
  readonly terminator?: boolean | 'function'
  /** Nothing is known of the op but what is written: its rules cannot be checked. */
  readonly foreign?: boolean
  /** Does something besides computing its results, so it may not be removed when they are not used. */
  readonly effect?: boolean | ((attributes: any) => boolean)
  /** Operands may be swapped. */
  readonly commutative?: boolean
  /** Tensors that operands may be besides ranked ones, plain or with one scale: those with a scale for each index of an axis, or any. */
  readonly operandTypes?: 'perAxis' | 'any'
  /** Operands (by name) whose elements may be MLIR's `index`: shapes and places that other dialects compute. */
  readonly indexOperands?: readonly string[]
  /** Operands and results (by name) of which every size must be known. */
  readonly knownSizes?: readonly string[]
}

/** An attribute's TypeScript type, its printed and its parsed form. */
export interface AttributeCodec<T> {
  /** What is expected, for errors: `an array of integers`. */
  readonly expected: string
  /** The attribute may be absent (`undefined`). */
  readonly optional?: boolean
  /** The value that leaving it out stands for, if there is one whatever the op's operands are. */
  readonly absent?: T
  /** In MLIR text as it stands in an attribute dictionary. */
  print(value: T): string
  /** Undefined if the attribute is not of this kind. */
  parse(attribute: Attribute): T | undefined
  /** The value with other names for the functions it names; absent if it names none. */
  rename?(value: T, rename: Rename): T
}
export interface OptionalCodec<T> extends AttributeCodec<T> {
  readonly optional: true
}
export type AttributeCodecs = Readonly<Record<string, AttributeCodec<any>>>

/** The TypeScript type of an op's attributes. */
export type AttributesOf<A extends AttributeCodecs> = {
  readonly [K in keyof A as A[K] extends OptionalCodec<any> ? never : K]: A[K] extends AttributeCodec<infer T> ? T : never
} & {
  readonly [K in keyof A as A[K] extends OptionalCodec<any> ? K : never]?: A[K] extends AttributeCodec<infer T> ? T | undefined : never
}

export interface InferContext<A> {
  readonly operands: readonly Type[]
  readonly attributes: A
  readonly regions: readonly Region[]
  /** The result types that were written down or asked for; ops whose results cannot be inferred check and return them. */
  readonly results: readonly Type[] | undefined
  /** The function a symbol names, if the module around the op is known. */
  lookup(symbol: string): Func | undefined
  /** The operands themselves, if they are known: some rules look at operands that are constants. */
  readonly values?: readonly Value[]
  /** The module around the op, if it is known. */
  readonly module?: Module
  /** Throws an `OpError`; `rule` is the constraint's id in the specification. */
  fail(detail: string, rule?: string): never
}

export interface HostToken { readonly kind: 'token' }
export interface HostTuple { readonly kind: 'tuple'; readonly elements: readonly HostValue[] }
/** What `async_start` gives; `results` is there when the work is done. */
export interface HostFuture { readonly kind: 'future'; results: readonly HostValue[] | undefined }
/** A value while it is interpreted. */
export type HostValue = HostArray | HostToken | HostTuple | HostFuture

/** Functions to run side by side, as a grid of replicas (rows) and partitions (columns). */
export interface ParallelPrograms {
  /** Functions of the module by name, or regions that use nothing from outside. */
  readonly programs: readonly (readonly (string | Region)[])[]
  /** The inputs of all processes, row by row. */
  readonly inputs: readonly HostValue[]
  /** Functions whose results `infeed` gives, in order. */
  readonly infeed: readonly string[]
}

export interface EvaluateContext<A> {
  readonly operation: Operation
  readonly operands: readonly HostValue[]
  /** The operands, all of which must be arrays. */
  readonly arrays: readonly HostArray[]
  readonly attributes: A
  readonly regions: readonly Region[]
  readonly resultTypes: readonly Type[]
  readonly module: Module | undefined
  /** Runs a region on values and gives what its terminator returns. */
  run(region: Region, inputs: readonly HostValue[]): readonly HostValue[]
  /** Runs a function of the module. */
  call(symbol: string, inputs: readonly HostValue[]): readonly HostValue[]
  /** State of this run that ops share, by a key of their own (random state, channels). */
  readonly shared: Map<string, unknown>
  /** Which of the processes runs this op. */
  readonly process: ProcessPlace
  /** Runs functions side by side and gives the results of all processes, row by row. */
  parallel(programs: ParallelPrograms): readonly HostValue[]
}

/** A cotangent; null stands for zero. */
export type Cotangent = Tensor | null

export interface VjpContext<A> {
  readonly operation: Operation
  readonly operands: readonly Tensor[]
  readonly results: readonly Tensor[]
  /** One per result; never all null. */
  readonly cotangents: readonly Cotangent[]
  readonly attributes: A
  readonly regions: readonly Region[]
  /** Per operand: whether anything depends on its cotangent. A rule may return null where false. */
  readonly needed: readonly boolean[]
  /** Values from outside that the regions use and that a gradient goes to. */
  activeCaptures(regions: readonly Region[]): readonly Tensor[]
  /** Adds to the cotangent of a value that is not an operand: one that a region captured. */
  accumulate(value: Value, cotangent: Cotangent): void
  /** Copies the region's operations here, with `inputs` for its arguments; gives what its terminator returns. */
  inline(region: Region, inputs: readonly Tensor[]): readonly Tensor[]
  /**
   * Copies the region's operations here and walks back through the copy. Gradients go to the inputs marked active (all, by
   * default) and to the `captured` values; `cotangents` gives those of the outputs.
   */
  pullback(
    region: Region,
    inputs: readonly Tensor[],
    cotangents: (outputs: readonly Tensor[]) => readonly Cotangent[],
    options?: { readonly active?: readonly boolean[]; readonly captured?: readonly Value[] },
  ): { readonly inputs: readonly Cotangent[]; readonly captured: readonly Cotangent[] }
  /** Which of a region's results depend on its active arguments or on active values from outside. */
  dependence(region: Region, active: readonly boolean[]): readonly boolean[]
  /** Puts a function's operations where this one, a call of it, stands, and walks back through them: nothing is left for the rule to do. */
  expand(body: Region): void
  /** Puts other operations where this one stands (run inside `build`); what they give takes the place of its results. */
  replace(build: () => readonly Tensor[]): void
  /** A value that is to be defined later by `define`; it can be used at once. */
  placeholder(type: TensorType): { readonly value: Tensor; define(value: Tensor): void }
  /** Sums over axes and drops them (given by `autodiff/`, because `reduce` builds on the ops that need this). */
  sum(operand: Tensor, axes: readonly number[]): Tensor
  /** The function a symbol names. */
  lookup(symbol: string): Func | undefined
}
export type VjpRule<A> = (context: VjpContext<A>) => readonly Cotangent[]

export interface NotDifferentiable {
  /** For the error message. */
  readonly notDifferentiable: string
  /** Results have no gradient by nature (integers, booleans, step functions): the cotangent is zero, not an error. */
  readonly zero?: boolean
}
