import { OpError } from '../ir/errors.ts'
import { inferTypes } from '../ir/infer.ts'
import type { Location } from '../ir/location.ts'
import { type Block, type Func, type Module, type Operation, type Region, type Value, isDeclaration } from '../ir/module.ts'
import type { AttributeCodec, InferContext } from '../ir/op-definition.ts'
import { type Type, compatibleShape, sameType, typeText } from '../ir/types.ts'
import { checkCounts } from './counts.ts'
import { type VerifiedText, VerifyError, type VerifyFinding } from './verify-error.ts'

/**
 * Whether a module is a valid program: MLIR's rules (every value is defined before it is used and in sight, every block ends in one
 * terminator, symbols name functions, functions return what they say) and each op's own, which its definition's `infer` has. What
 * `trace/` builds is valid by construction; what was parsed, or put together by hand, is checked here. No op is known by its name.
 */
export interface VerifyOptions {
  /** The text that was parsed, so that messages show the line. */
  readonly source?: VerifiedText
  /** Stop after this many errors; 100 if nothing is said. */
  readonly limit?: number
}

/** Everything that is wrong with a module, in the order of the text; at most one error for each op. */
export function verifyModule(module: Module, options: VerifyOptions = {}): VerifyError[] {
  const verifier = new Verifier(options)
  verifier.module(module)
  return verifier.errors
}

/** Throws the first `VerifyError` of a module, if there is one; gives the module back. */
export function checkModule(module: Module, options: Omit<VerifyOptions, 'limit'> = {}): Module {
  const [first] = verifyModule(module, { ...options, limit: 1 })
  if (first) throw first
  return module
}

/** Ends the work on one op, or on everything once there are enough errors. */
class Refused extends Error {}

class Verifier {
  readonly errors: VerifyError[] = []
  readonly #options: VerifyOptions
  readonly #limit: number
  #module!: Module
  #functions: ReadonlyMap<string, Func> = new Map()
  #func!: Func
  /** Blocks around the operation that is looked at. */
  #open = new Set<Block>()
  #defined = new Set<Value>()

  constructor(options: VerifyOptions) {
    this.#options = options
    this.#limit = options.limit ?? 100
  }

  get #full(): boolean {
    return this.errors.length >= this.#limit
  }

  /** Adds an error, and leaves what is under way. */
  #refuse(finding: VerifyFinding): never {
    this.errors.push(new VerifyError(finding, this.#options.source))
    throw new Refused()
  }

  /** Runs checks that end with the first error. */
  #attempt(check: () => void): void {
    if (this.#full) return
    try {
      check()
    } catch (error) {
      if (!(error instanceof Refused)) throw error
    }
  }

  module(module: Module): void {
    const functions = new Map<string, Func>()
    for (const func of module.functions) {
      this.#attempt(() => {
        const { name, location } = func
        if (functions.has(name)) this.#refuse({ op: 'func.func', detail: `redefinition of symbol named '${name}'`, location })
      })
      if (!functions.has(func.name)) functions.set(func.name, func)
    }
    for (const func of module.functions) {
      this.#module = module
      this.#functions = functions
      this.#function(func)
    }
    for (const inner of module.modules) this.module(inner)
  }

  #function(func: Func): void {
    this.#func = func
    this.#open = new Set()
    this.#defined = new Set()
    if (isDeclaration(func)) return
    this.#attempt(() => {
      const { blocks } = func.body
      if (blocks.length !== 1)
        this.#refuse({ op: 'func.func', detail: `needs a body of one block, has ${blocks.length}: branches are not supported`, location: func.location })
    })
    for (const block of func.body.blocks) this.#block(block, func.location, () => this.#returned(block.terminator))
  }

  /** What a function returns has the types that it says. */
  #returned(terminator: Operation | undefined): void {
    if (!terminator) return
    const { resultTypes, name } = this.#func
    const { operands, location } = terminator
    if (operands.length !== resultTypes.length)
      this.#refuse({ op: terminator.name, detail: `has ${operands.length} operands, but enclosing function (@${name}) returns ${resultTypes.length}`, location })
    operands.forEach(({ type }, i) => {
      if (type !== resultTypes[i] && !sameType(type, resultTypes[i]))
        this.#refuse({
          op: terminator.name,
          detail: `type of return operand ${i} ('${typeText(type)}') doesn't match function result type ('${typeText(resultTypes[i])}') in function @${name}`,
          location,
        })
    })
  }

  #block(block: Block, parent: Location | undefined, atEnd?: () => void): void {
    this.#open.add(block)
    for (const argument of block.arguments) this.#defined.add(argument)
    const { operations } = block
    operations.forEach((operation, i) => {
      if (this.#full) return
      this.#attempt(() => this.#operation(operation, i === operations.length - 1))
      for (const region of operation.regions) for (const inner of region.blocks) this.#block(inner, operation.location)
      for (const result of operation.results) this.#defined.add(result)
    })
    if (operations.length === 0) this.#attempt(() => this.#refuse({ detail: 'empty block: expect at least a terminator', location: parent }))
    if (atEnd) this.#attempt(atEnd)
    this.#open.delete(block)
  }

  #operation(operation: Operation, last: boolean): void {
    const { definition, location } = operation
    const { traits } = definition
    const refuse = (detail: string, rule?: string): never => this.#refuse({ op: definition.name, detail, rule, location })
    this.#visible(operation, refuse)
    if (traits?.terminator && !last) refuse('must be the last operation in the parent block')
    if (last && !traits?.terminator && !traits?.foreign) refuse('block with no terminator: its last operation must be one')
    if (traits?.terminator === 'function' && operation.block.region.parent !== this.#func) refuse(`expects parent op 'func.func'`)
    if (traits?.foreign) return
    this.#attributes(operation, refuse)
    checkCounts(operation, refuse)
    this.#regions(operation, refuse)
    this.#types(operation)
  }

  /** Every operand is defined before, in this block or one around it. */
  #visible({ operands }: Operation, refuse: (detail: string) => never): void {
    for (let i = 0; i < operands.length; i++) {
      const { block } = operands[i]
      if (!this.#open.has(block))
        refuse(`operand #${i} is defined in a region or function that this operation is not in: it is not in sight here`)
      if (!this.#defined.has(operands[i])) refuse(`operand #${i} does not dominate this use: it is defined after it`)
    }
  }

  #attributes({ definition, attributes }: Operation, refuse: (detail: string) => never): void {
    const codecs = definition.attributes as Record<string, AttributeCodec<unknown>>
    for (const name in codecs) if (attributes?.[name] === undefined && !codecs[name].optional) refuse(`requires attribute '${name}'`)
  }

  /** Passes rely on regions of one block. */
  #regions({ definition, regions }: Operation, refuse: (detail: string) => never): void {
    regions.forEach((region: Region, i) => {
      if (region.blocks.length === 1) return
      const name = definition.regions[Math.min(i, definition.regions.length - 1)]?.replace('...', '') ?? '?'
      refuse(`region #${i} ('${name}') failed to verify constraint: region with 1 blocks`)
    })
  }

  /** The op's own rules, and that its results have the types that follow from its operands. */
  #types(operation: Operation): void {
    const { definition, operands, attributes, regions, results, location } = operation
    const refuse = (detail: string, rule?: string, cause?: unknown): never =>
      this.#refuse({ op: definition.name, detail, rule, location, inferring: true, cause })
    const declared = results.map(({ type }) => type)
    const context: InferContext<unknown> = {
      operands: operands.map(({ type }) => type),
      attributes,
      regions,
      results: declared,
      lookup: (symbol) => this.#functions.get(symbol),
      values: operands,
      module: this.#module,
      fail: (detail, rule) => refuse(detail, rule),
    }
    let inferred: readonly Type[]
    try {
      inferred = inferTypes(definition, context)
    } catch (error) {
      if (error instanceof Refused) throw error
      if (error instanceof OpError) return refuse(error.detail, error.rule, error)
      return refuse(`cannot be checked: ${(error as Error).message}`, undefined, error)
    }
    if (inferred.length !== declared.length || !inferred.every((type, i) => compatible(type, declared[i])))
      refuse(`inferred type(s) ${quoted(inferred)} are incompatible with return type(s) of operation ${quoted(declared)}`)
  }
}

const quoted = (types: readonly Type[]): string => types.map((type) => `'${typeText(type)}'`).join(', ')

/** Types that could be equal when the program runs. */
function compatible(a: Type, b: Type): boolean {
  if (a === b) return true
  if (a.kind === 'tensor' && b.kind === 'tensor') {
    if (a.dtype !== b.dtype || (a.quantization === undefined) !== (b.quantization === undefined)) return false
    return (a.unranked ?? false) || (b.unranked ?? false) || compatibleShape(a.shape, b.shape)
  }
  if ((a.kind === 'tuple' && b.kind === 'tuple') || (a.kind === 'future' && b.kind === 'future'))
    return a.elements.length === b.elements.length && a.elements.every((element, i) => compatible(element, b.elements[i]))
  return sameType(a, b)
}
