import type { ProgramSource } from '../ir/backend.ts'
import { type Module, type Operation, walkOperations } from '../ir/module.ts'
import { compileFor, traceTarget } from '../program/compile-for.ts'
import { CompileError } from '../runner/errors.ts'
import type { NamedText } from '../runner/optimized.ts'
import type { Runner } from '../runner/runner.ts'
import { parseModule } from '../text/parse.ts'
import type { MatchResult } from './match-stablehlo.ts'
import { type TextStep, matchText } from './text-patterns.ts'
import { sessionOf, tpuCompiler } from './sessions.ts'
import { OperationText, type Subject, type SubjectOptions, sourceOf, subjectOf } from './subject.ts'

export interface CompileForOptions extends SubjectOptions {
  /** Patterns that the optimised program has to match in this order: texts, regular expressions, or `{ not }` for what must not stand between. */
  readonly hlo?: readonly TextStep[]
}

/** Compiles the program for a target and matches the optimised program against the patterns. */
export async function compileForTarget(received: unknown, target: string, options: CompileForOptions): Promise<MatchResult> {
  const subject = subjectOf(received, 'toCompileFor', { types: options.types, target: traceTarget(target) })
  const source = sourceOf(subject)
  // The scopes are in the optimised program only if the text has them.
  const text = subject.program?.textWithLocations ?? source.text
  let hlo: string
  try {
    hlo = await optimizedText({ name: source.name, text }, target)
  } catch (error) {
    if (!(error instanceof CompileError)) throw error
    return { pass: false, message: () => compileMessage(error, subject, source, target) }
  }
  if (!options.hlo) return { pass: true, message: () => `${subject.name} should not compile for ${target}, it does` }
  const failure = matchText(hlo, options.hlo)
  return {
    pass: failure === undefined,
    message: () => (failure === undefined ? `what XLA made of ${subject.name} for ${target} should not match, it does` : `${subject.name} compiles for ${target}, but to another program: ${failure}`),
  }
}

async function optimizedText(source: NamedText, target: string): Promise<string> {
  if (target !== 'cpu') return (await compileFor(source, target, { compiler: tpuCompiler() })).hlo
  // The runner that other matchers use, too.
  const { backend } = await sessionOf(target)
  return (await (backend as Runner).optimized(source)).hlo
}

/** XLA's message, and the op of the user that it is about, if that can be told. */
function compileMessage(error: CompileError, subject: Subject, source: ProgramSource, target: string): string {
  const operations = blamed(error, source)
  const text = new OperationText(subject.module)
  const ops = operations.length === 0 ? [] : [operations.length === 1 ? 'the op is' : 'it is one of', ...operations.map((operation) => `  ${text.withOrigin(operation)}`)]
  return [`${subject.name} does not compile for ${target}${error.status ? ` (${error.status})` : ''}: ${error.detail.trim()}`, ...ops].join('\n')
}

/** The op at the place in the text that the message names, those of a place in the source that it names, or those of which an attribute stands in it. */
function blamed({ detail }: CompileError, { module, text }: ProgramSource): Operation[] {
  const line = /\.mlir:(\d+):\d+/.exec(detail)?.[1]
  if (line !== undefined) return operationsAt(module, text, Number(line))
  const mentioned: Operation[] = []
  eachOperation(module, (operation) => {
    const site = operation.location?.callSite
    if (site && detail.includes(`${site.file}:${site.line}:${site.column}`)) mentioned.push(operation)
  })
  if (mentioned.length > 0) return mentioned.slice(0, 5)
  eachOperation(module, (operation) => {
    const names = Object.values(operation.attributes as Record<string, unknown>).filter((value): value is string => typeof value === 'string' && value.length > 3)
    if (names.some((name) => detail.includes(name))) mentioned.push(operation)
  })
  return mentioned.slice(0, 5)
}

function eachOperation(module: Module, visit: (operation: Operation) => void): void {
  for (const func of module.functions) for (const block of func.body.blocks) walkOperations(block, visit)
}

/** The operation that stands in a line of the text: what is read from it is walked in the same order as the module. */
function operationsAt(module: Module, text: string, line: number): Operation[] {
  const lines: number[] = []
  eachOperation(parseModule(text), ({ location }) => lines.push(location!.callSite!.line))
  const found: Operation[] = []
  let next = 0
  eachOperation(module, (operation) => {
    if (lines[next++] === line) found.push(operation)
  })
  return found
}
