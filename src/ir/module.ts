import type { Attribute } from './attributes.ts'
import type { DType } from './dtypes.ts'
import type { Location } from './location.ts'
import type { OpDefinition } from './op-definition.ts'
import type { TensorType, Type } from './types.ts'

/**
 * The program in memory. It is StableHLO's own structure: a module has functions, a function a region, a region blocks, a
 * block operations, an operation operands, attributes, regions and results. Every `Value` has one definition; a region may
 * use the values of the blocks around it.
 */

/** What an operation or a block argument defines. */
export class Value {
  readonly type: Type
  /** The block in which the value is defined. */
  readonly block: Block
  /** The operation whose result this is; absent for a block argument. */
  readonly definition: Operation | undefined
  /** Position among the operation's results or the block's arguments. */
  readonly index: number
  /**
   * Set while tracing: this is a second identity of another value, so that differentiation can tell an argument from other
   * uses of the same value. Gone when the function is finished.
   */
  alias: Alias | undefined = undefined

  constructor(type: Type, block: Block, definition: Operation | undefined, index: number) {
    this.type = type
    this.block = block
    this.definition = definition
    this.index = index
  }
}

export interface Alias {
  readonly value: Value
  /** No cotangent flows from the alias to the value. */
  readonly stopGradient: boolean
}

/** The value behind all aliases. */
export function resolveAlias(value: Value): Value {
  let resolved = value
  while (resolved.alias) resolved = resolved.alias.value
  return resolved
}

/** A value of tensor type: what a model's code holds while it is traced. Its arithmetic methods are added by `ops/`. */
export class Tensor extends Value {
  declare readonly type: TensorType

  /** Sizes in elements, outermost first. */
  get shape(): readonly number[] {
    return this.type.shape
  }
  get dtype(): DType {
    return this.type.dtype
  }
  get rank(): number {
    return this.type.shape.length
  }
}

export const makeValue = (type: Type, block: Block, definition: Operation | undefined, index: number): Value =>
  type.kind === 'tensor' ? new Tensor(type, block, definition, index) : new Value(type, block, definition, index)

/** Attributes that no op definition knows (`mhlo.sharding`, `sdy.sharding`, ...): kept and printed back. */
export type DiscardableAttributes = Readonly<Record<string, Attribute>>

export class Operation {
  readonly definition: OpDefinition
  operands: readonly Value[]
  readonly attributes: any
  readonly regions: readonly Region[]
  readonly results: readonly Value[]
  readonly block: Block
  location: Location | undefined
  discardable: DiscardableAttributes | undefined
  /** Set while tracing: the innermost function with its own differentiation rule (custom gradient, checkpoint) around this op. */
  rule: object | undefined

  constructor(
    block: Block,
    definition: OpDefinition,
    operands: readonly Value[],
    attributes: any,
    resultTypes: readonly Type[],
    regions: readonly Region[],
    location?: Location,
  ) {
    this.block = block
    this.definition = definition
    this.operands = operands
    this.attributes = attributes
    this.regions = regions
    this.location = location
    this.discardable = undefined
    this.rule = undefined
    const results = new Array<Value>(resultTypes.length)
    for (let i = 0; i < results.length; i++) results[i] = makeValue(resultTypes[i], block, this, i)
    this.results = results
    for (const region of regions) region.parent = this
  }

  /** `stablehlo.add` */
  get name(): string {
    return this.definition.name
  }
}

export class Block {
  readonly arguments: Value[] = []
  operations: Operation[] = []
  readonly region: Region

  constructor(region: Region, argumentTypes: readonly Type[]) {
    this.region = region
    argumentTypes.forEach((type) => this.addArgument(type))
  }

  addArgument(type: Type): Value {
    const value = makeValue(type, this, undefined, this.arguments.length)
    this.arguments.push(value)
    return value
  }

  /** The operation that ends the block; undefined while it is being built. */
  get terminator(): Operation | undefined {
    const last = this.operations.at(-1)
    return last?.definition.traits?.terminator ? last : undefined
  }
}

export class Region {
  readonly blocks: Block[] = []
  parent: Operation | Func | undefined

  /** A region of one block. */
  static ofBlock(argumentTypes: readonly Type[]): Region {
    const region = new Region()
    region.addBlock(argumentTypes)
    return region
  }

  addBlock(argumentTypes: readonly Type[]): Block {
    const block = new Block(this, argumentTypes)
    this.blocks.push(block)
    return block
  }

  /** The only block. */
  get block(): Block {
    return this.blocks[0]
  }
}

/** `func.func`. */
export class Func {
  readonly name: string
  readonly visibility: 'public' | 'private'
  /** The text that this was read from says nothing of visibility, and neither does what is printed. */
  visibilityImplied = false
  readonly body: Region
  resultTypes: readonly Type[]
  /** One per argument. */
  argumentAttributes: DiscardableAttributes[]
  /** One per result. */
  resultAttributes: DiscardableAttributes[]
  discardable: DiscardableAttributes | undefined
  location: Location | undefined

  constructor(name: string, argumentTypes: readonly Type[], options: { visibility?: 'public' | 'private'; body?: Region } = {}) {
    this.name = name
    this.visibility = options.visibility ?? 'public'
    this.body = options.body ?? Region.ofBlock(argumentTypes)
    this.body.parent = this
    this.resultTypes = []
    this.argumentAttributes = argumentTypes.map(() => ({}))
    this.resultAttributes = []
  }

  get block(): Block {
    return this.body.block
  }
  get argumentTypes(): readonly Type[] {
    return this.block.arguments.map((argument) => argument.type)
  }
}

/** Whether the function is only declared: it has no operations, so it cannot be run. */
export const isDeclaration = (func: Func): boolean => func.block.operations.length === 0

/** `builtin.module`. */
export class Module {
  readonly name: string | undefined
  readonly functions: Func[] = []
  /** Operations of other dialects at module level (`sdy.mesh @mesh = ...`), each as its text. */
  readonly foreign: string[] = []
  /** Modules inside this one. */
  readonly modules: Module[] = []
  attributes: DiscardableAttributes = {}

  constructor(name?: string) {
    this.name = name
  }

  find(name: string): Func | undefined {
    return this.functions.find((func) => func.name === name)
  }

  /** The entry point: the function `main`, or the only one. */
  get main(): Func {
    const main = this.find('main') ?? (this.functions.length === 1 ? this.functions[0] : undefined)
    if (!main) throw new TypeError('the module has no function @main')
    return main
  }
}

/** Calls `visit` for every operation of `block` and of the regions inside it, in order, outer before inner. */
export function walkOperations(block: Block, visit: (operation: Operation) => void): void {
  for (const operation of block.operations) {
    visit(operation)
    for (const region of operation.regions) for (const inner of region.blocks) walkOperations(inner, visit)
  }
}

/** Values that the region uses but that are defined outside it, in order of first use. */
export function capturedValues(region: Region): Value[] {
  const inside = new Set<Block>()
  const captured = new Set<Value>()
  const visit = (block: Block): void => {
    inside.add(block)
    for (const operation of block.operations) {
      for (const operand of operation.operands) if (!inside.has(operand.block)) captured.add(operand)
      for (const inner of operation.regions) inner.blocks.forEach(visit)
    }
  }
  region.blocks.forEach((block) => inside.add(block))
  region.blocks.forEach(visit)
  return [...captured].filter((value) => !inside.has(value.block))
}
