import type { ProgramSource } from '../ir/backend.ts'
import { InputError } from '../ir/errors.ts'
import { type Func, Module, type Operation } from '../ir/module.ts'
import { type TensorType, shortType } from '../ir/types.ts'
import { lowerWith } from '../program/lower.ts'
import { Program } from '../program/program.ts'
import { oneLine } from '../text/difference-lines.ts'
import { parseModule } from '../text/parse.ts'
import { printModule, valueNames } from '../text/print.ts'
import type { Target } from '../trace/target.ts'

/** What stands in `expect(...)`: the program, and what is known of it besides. */
export interface Subject {
  readonly module: Module
  readonly name: string
  /** Nesting and paths of arguments and results, if it was traced here. */
  readonly program: Program<any, any> | undefined
  /** The text, if that was given. */
  readonly text?: string
}

export interface SubjectOptions {
  /** The types of the arguments, if a function is given: it is traced on them. */
  readonly types?: readonly unknown[]
}

/** What text that a matcher got is called in messages. */
export const receivedFile = 'received.mlir'

export interface ReadOptions extends SubjectOptions {
  /** What a function is traced for, if it has several spellings. */
  readonly target?: Target
  /** Accept text with ops that are not StableHLO. */
  readonly allowForeignOps?: boolean
}

/**
 * The program in `expect(...)`: what `lower` gives, a module, StableHLO text, or a function, which is traced on `types`. Throws `InputError`
 * for anything else, `ParseError` with a caret for text that cannot be read, and what tracing throws.
 */
export function subjectOf(received: unknown, matcher: string, options: ReadOptions = {}): Subject {
  const { types } = options
  if (typeof received === 'function') {
    if (!types) throw new InputError(`${matcher} got a function without the types of its arguments: give { types: [f32(8, 16), ...] }, or expect(lower(f, ...types))`)
    const program = lowerWith({ target: options.target }, received as (...args: any[]) => unknown, ...(types as never[])) as Program<any, any>
    return { module: program.module, name: program.name, program }
  }
  if (types) throw new InputError(`${matcher}: types are for functions, got ${describe(received)}, which has its own`)
  if (received instanceof Program) return { module: received.module, name: received.name, program: received as Program<any, any> }
  if (received instanceof Module) return { module: received, name: received.name ?? 'module', program: undefined }
  if (typeof received === 'string') {
    const module = parseModule(received, { file: receivedFile, allowForeignOps: options.allowForeignOps })
    return { module, name: module.name ?? 'received', program: undefined, text: received }
  }
  throw new InputError(`${matcher} takes a program (what lower() gives), StableHLO text, a module, or a function with { types }; got ${describe(received)}`)
}

function describe(value: unknown): string {
  if (value instanceof Program) return `program ${value.name}`
  if (value === null || typeof value !== 'object') return typeof value === 'string' ? 'text' : String(value)
  if (value instanceof Promise) return 'a promise: await it first'
  return `a ${value.constructor?.name ?? 'object'}`
}

/** The program as a backend takes it. Throws `InputError` if an argument or a result is no tensor of known size. */
export function sourceOf({ module, name, program, text }: Subject): ProgramSource {
  if (program) return program
  const { main } = module
  const fixed = (types: Func['resultTypes'], what: string): readonly TensorType[] =>
    types.map((type, i) => {
      if (type.kind !== 'tensor' || type.unranked || type.shape.some((size) => size < 0))
        throw new InputError(`${what} ${i} of @${main.name} is ${shortType(type)}: only programs of tensors of known sizes can be run`, 'INPUT_TYPE')
      return type
    })
  return { name, module, text: text ?? printModule(module), inputs: fixed(main.argumentTypes, 'argument'), outputs: fixed(main.resultTypes, 'result') }
}

/** Says which operations of a program are meant, in the words of its text. */
export class OperationText {
  readonly #names: ReturnType<typeof valueNames>

  constructor(module: Module) {
    this.#names = valueNames(module)
  }

  /** `%3 = stablehlo.add %1, %2 : tensor<4xf32>` */
  line(operation: Operation): string {
    return oneLine(operation, this.#names)
  }

  /** The line, and below it where the op comes from: `in layer0/attention, attend (model.ts:41:12)`. */
  withOrigin(operation: Operation): string {
    const origin = originText(operation)
    return origin ? `${this.line(operation)}\n    ${origin}` : this.line(operation)
  }
}

/** `in layer0/attention, at attend (model.ts:41:12)`; empty if nothing is known. */
export function originText({ location }: Operation): string {
  const site = location?.callSite
  const place = site && `${shortPath(site.file)}:${site.line}:${site.column}`
  return [...(location?.scope ? [`in ${location.scope}`] : []), ...(site ? [`at ${site.function ? `${site.function} (${place})` : place}`] : [])].join(', ')
}

/** A path below the working directory without it. */
export const shortPath = (path: string): string => (path.startsWith(`${process.cwd()}/`) ? path.slice(process.cwd().length + 1) : path)
