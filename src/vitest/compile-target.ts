import type { CompileStatistics, ProgramSource } from '../ir/backend.ts'
import { InputError } from '../ir/errors.ts'
import { type Module, type Operation, walkOperations } from '../ir/module.ts'
import { CompileError } from '../runner/errors.ts'
import { parseModule } from '../text/parse.ts'
import { printModule } from '../text/print.ts'
import type { MatchResult } from './match-stablehlo.ts'
import { type TextStep, matchText } from './text-patterns.ts'
import { sessionOf } from './sessions.ts'
import { OperationText, type Subject, type SubjectOptions, sourceOf, subjectOf } from './subject.ts'

export interface CompileForOptions extends SubjectOptions {
  /** Patterns that the optimised program has to match in this order: texts, regular expressions, or `{ not }` for what must not stand between. */
  readonly hlo?: readonly TextStep[]
}

interface CompiledFacts {
  readonly statistics: CompileStatistics
  /** XLA's program after its optimisations, where the compiler gives it. */
  readonly optimizedText?: string
}

/** Compiles the program for a target and matches the optimised program against the patterns. */
export async function compileForTarget(received: unknown, target: string, options: CompileForOptions): Promise<MatchResult> {
  const subject = subjectOf(received, 'toCompileFor', { types: options.types })
  const source = sourceOf(subject)
  let facts: CompiledFacts
  try {
    facts = await compileFor(source, target)
  } catch (error) {
    if (!(error instanceof CompileError)) throw error
    return { pass: false, message: () => compileMessage(error, subject, target) }
  }
  if (!options.hlo) return { pass: true, message: () => `${subject.name} should not compile for ${target}, it does` }
  if (facts.optimizedText === undefined) throw new InputError(`toCompileFor: the compiler of ${target} does not give its optimised program, so hlo cannot be matched`)
  const failure = matchText(facts.optimizedText, options.hlo)
  return {
    pass: failure === undefined,
    message: () => (failure === undefined ? `the program that XLA made of ${subject.name} for ${target} should not match, it does` : `${subject.name} compiles for ${target}, but to another program: ${failure}`),
  }
}

async function compileFor(source: ProgramSource, target: string): Promise<CompiledFacts> {
  if (target !== 'cpu') throw new InputError(`toCompileFor: there is no target ${target}: expected cpu`)
  const { backend } = await sessionOf(target)
  const compiled = await backend.compile(source)
  await compiled.release()
  return compiled
}

/** XLA's message, and the op of the user that it is about, if that can be told. */
function compileMessage(error: CompileError, subject: Subject, target: string): string {
  const operations = blamed(error, subject.module)
  const text = new OperationText(subject.module)
  const ops = operations.length === 0 ? [] : [operations.length === 1 ? 'the op is' : 'it is one of', ...operations.map((operation) => `  ${text.withOrigin(operation)}`)]
  return [`${subject.name} does not compile for ${target}${error.status ? ` (${error.status})` : ''}: ${error.detail.trim()}`, ...ops].join('\n')
}

/** The op at the place in the text that the message names, or those of which an attribute stands in it. */
function blamed({ detail }: CompileError, module: Module): Operation[] {
  const line = /\.mlir:(\d+):\d+/.exec(detail)?.[1]
  if (line !== undefined) return operationsAt(module, Number(line))
  const mentioned: Operation[] = []
  eachOperation(module, (operation) => {
    const names = Object.values(operation.attributes as Record<string, unknown>).filter((value): value is string => typeof value === 'string' && value.length > 3)
    if (names.some((name) => detail.includes(name))) mentioned.push(operation)
  })
  return mentioned.slice(0, 5)
}

function eachOperation(module: Module, visit: (operation: Operation) => void): void {
  for (const func of module.functions) for (const block of func.body.blocks) walkOperations(block, visit)
}

/** The operation that stands in a line of the module's text: both are walked in the same order. */
function operationsAt(module: Module, line: number): Operation[] {
  const lines: number[] = []
  eachOperation(parseModule(printModule(module)), ({ location }) => lines.push(location!.callSite!.line))
  const found: Operation[] = []
  let next = 0
  eachOperation(module, (operation) => {
    if (lines[next++] === line) found.push(operation)
  })
  return found
}
