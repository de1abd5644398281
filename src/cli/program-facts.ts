import { basename } from 'node:path'
import type { CompileStatistics } from '../ir/backend.ts'
import { walkOperations } from '../ir/module.ts'
import { shortType, sizeBytes } from '../ir/types.ts'
import type { Program } from '../program/program.ts'
import { type Choice, choicesOf } from '../trace/choices.ts'

/** What can be said of a program without running it. */
export interface ProgramFacts {
  readonly name: string
  readonly operations: number
  readonly byOperation: Readonly<Record<string, number>>
  readonly functions: number
  readonly textBytes: number
  readonly inputs: number
  readonly inputBytes: number
  readonly donatedInputs: number
  readonly outputs: number
  readonly outputBytes: number
  /** What was chosen among several spellings while the program was traced, and why. */
  readonly choices: readonly ChoiceFacts[]
  readonly parameters?: number
  readonly compiled?: CompileStatistics
}

/** A choice as JSON: where it was made is the scope of the ops that it made, and a line of a file. */
export interface ChoiceFacts extends Choice {
  readonly scope: string
  readonly place?: string
}

/** The choices made in a program, equal ones of one place once. */
export function choiceFacts(program: Program<any, any>): ChoiceFacts[] {
  const found = choicesOf(program.module).map(({ location, ...choice }): ChoiceFacts => {
    const site = location.callSite
    return { ...choice, scope: location.scope, ...(site && { place: `${site.file}:${site.line}:${site.column}` }) }
  })
  return [...new Map(found.map((choice) => [JSON.stringify(choice), choice])).values()]
}

/** Lines that say what was chosen, with what and why. */
export const choiceLines = (choices: readonly ChoiceFacts[]): string[] =>
  choices.flatMap(({ what, of, reason, scope, place }) => [`chosen       ${what} ${scope}: ${reason}`, `             ${of}${place ? `, at ${basename(place)}` : ''}`])

export function programFacts(program: Program<any, any>): ProgramFacts {
  const counts = new Map<string, number>()
  for (const func of program.module.functions) walkOperations(func.block, ({ name }) => counts.set(name, (counts.get(name) ?? 0) + 1))
  const sorted = [...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))
  return {
    name: program.name,
    operations: sorted.reduce((sum, [, count]) => sum + count, 0),
    byOperation: Object.fromEntries(sorted),
    functions: program.module.functions.length,
    textBytes: Buffer.byteLength(program.text),
    inputs: program.inputs.length,
    inputBytes: program.inputs.reduce((sum, type) => sum + sizeBytes(type), 0),
    donatedInputs: program.donated.length,
    outputs: program.outputs.length,
    outputBytes: program.outputs.reduce((sum, type) => sum + sizeBytes(type), 0),
    choices: choiceFacts(program),
  }
}

const megabytes = (bytes: number): string => (bytes < 1e5 ? `${bytes} B` : `${(bytes / 1e6).toFixed(1)} MB`)

export function factsText(facts: ProgramFacts): string {
  const lines = [
    `program      ${facts.name}`,
    `operations   ${facts.operations} in ${facts.functions} function${facts.functions === 1 ? '' : 's'}`,
    `text         ${megabytes(facts.textBytes)}`,
    `inputs       ${facts.inputs} (${megabytes(facts.inputBytes)}), ${facts.donatedInputs} donated`,
    `outputs      ${facts.outputs} (${megabytes(facts.outputBytes)})`,
  ]
  if (facts.parameters !== undefined) lines.push(`parameters   ${facts.parameters.toLocaleString('en')}`)
  if (facts.compiled) {
    const { compileSeconds, memory, flops } = facts.compiled
    lines.push(`compiled in  ${compileSeconds.toFixed(2)} s`)
    if (memory) lines.push(`memory       arguments ${megabytes(memory.arguments)}, outputs ${megabytes(memory.outputs)}, temporaries ${megabytes(memory.temporaries)}, aliased ${megabytes(memory.aliased)}`)
    if (flops !== undefined) lines.push(`flops        ${(flops / 1e9).toFixed(2)} G`)
  }
  lines.push(...choiceLines(facts.choices))
  lines.push('', ...Object.entries(facts.byOperation).map(([name, count]) => `${String(count).padStart(8)}  ${name}`))
  return `${lines.join('\n')}\n`
}

/** `0  f32[8,128]  weights.w`, a line per array. */
export const arrayLines = (types: Program['inputs'], paths: readonly string[]): string =>
  types.map((type, i) => `${String(i).padStart(4)}  ${shortType(type).padEnd(20)}  ${paths[i] ?? ''}`).join('\n')
