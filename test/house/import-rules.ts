import path from 'node:path'

/**
 * Which room of `src/` may know which. The table is the rule; a new room needs a
 * line here. Rooms know themselves. `types` are rooms of which only types may be imported, `files` single files of a room.
 */
export interface RoomRule {
  readonly rooms: readonly string[]
  readonly types?: readonly string[]
  readonly files?: readonly string[]
  /** npm packages beside package.json's `dependencies`. */
  readonly packages?: readonly string[]
}

/** Plain values and their types: what a room that knows no compiler may use of `ir`. */
const plainIr = ['ir/host-array.ts', 'ir/types.ts', 'ir/dtypes.ts', 'ir/errors.ts', 'ir/float-bits.ts']
const language = ['ir', 'host', 'trace', 'ops', 'lib']
const layers = [...language, 'autodiff', 'knn', 'nn']
const training = [...layers, 'models', 'program', 'data', 'text', 'verify', 'interpret']
const everything = [...training, 'train', 'runner', 'xla', 'search', 'inspect', 'job', 'report', 'vitest']

/** The import direction: ir <- trace <- ops <- autodiff <- lib <- {knn, nn} <- models <- train <- job <- cli, and the rooms beside it. */
export const houseRules: Readonly<Record<string, RoomRule>> = {
  ir: { rooms: [] },
  host: { rooms: ['ir'] },
  trace: { rooms: ['ir'] },
  ops: { rooms: ['ir', 'host', 'trace'] },
  lib: { rooms: ['ir', 'trace', 'ops', 'autodiff'] },
  autodiff: { rooms: ['ir', 'host', 'trace', 'ops'] },
  knn: { rooms: [...language, 'autodiff'] },
  nn: { rooms: [...language, 'autodiff', 'knn'] },
  models: { rooms: layers },
  train: { rooms: training, types: ['runner'] },
  text: { rooms: ['ir', 'ops'], types: ['trace'] },
  verify: { rooms: ['ir', 'ops'], types: ['trace'] },
  interpret: { rooms: ['ir', 'host', 'ops'], types: ['trace'] },
  xla: { rooms: [] },
  runner: { rooms: ['ir', 'xla'] },
  program: { rooms: ['ir', 'trace', 'ops', 'text', 'verify', 'interpret', 'runner', 'xla'] },
  data: { rooms: [], files: plainIr },
  report: { rooms: [], files: plainIr },
  vitest: {
    rooms: [...language, 'autodiff', 'program', 'text', 'verify', 'interpret', 'runner'],
    files: ['data/atomic-file.ts', 'data/random-arrays.ts'],
    packages: ['vitest'],
  },
  search: { rooms: [...language, 'knn', 'program', 'data'] },
  inspect: { rooms: [...training, 'train', 'report'] },
  job: { rooms: [...training, 'train', 'runner'] },
  cli: { rooms: everything },
}

/** One import of a file: what it names, where it stands, and whether it is there at run time. */
export interface ImportStatement {
  readonly specifier: string
  /** From 1. */
  readonly line: number
  readonly kind: 'value' | 'type' | 'dynamic'
}

const patterns: readonly { readonly pattern: RegExp; readonly kind: (match: RegExpExecArray) => ImportStatement['kind'] }[] = [
  { pattern: /^(?:import|export)\s+(type\s+(?!from\b)|)[^'"`;()=]*?\bfrom\s*['"](?<specifier>[^'"]+)['"]/gm, kind: (match) => (match[1] ? 'type' : 'value') },
  { pattern: /^import\s*['"](?<specifier>[^'"]+)['"]/gm, kind: () => 'value' },
  { pattern: /^(?!\s*(?:\/\/|\*)).*?\bimport\(\s*['"](?<specifier>[^'"]+)['"]\s*\)/gm, kind: () => 'dynamic' },
]

/**
 * The imports of a source text in order. Statements begin a line (as everywhere in this repository); block comments are passed over.
 * `import { type T }` counts as a value import, because with `verbatimModuleSyntax` the file is loaded for it.
 */
export function parseImports(source: string): ImportStatement[] {
  const text = source.replace(/^[ \t]*\/\*[\s\S]*?\*\//gm, (comment) => comment.replace(/[^\n]/g, ' '))
  const found: ImportStatement[] = []
  for (const { pattern, kind } of patterns) {
    for (const match of text.matchAll(pattern)) {
      const specifier = match.groups!.specifier
      const at = match.index + match[0].lastIndexOf(specifier)
      found.push({ specifier, line: text.slice(0, at).split('\n').length, kind: kind(match as RegExpExecArray) })
    }
  }
  return found.sort((a, b) => a.line - b.line)
}

const roomOf = (file: string) => (file.includes('/') ? file.slice(0, file.indexOf('/')) : undefined)

function describe(rule: RoomRule): string {
  const parts = [...rule.rooms, ...(rule.files ?? [])]
  if (rule.types?.length) parts.push(`the types of ${rule.types.join(', ')}`)
  return parts.length === 0 ? 'no other room' : parts.join(', ')
}

const packageOf = (specifier: string) => specifier.split('/').slice(0, specifier.startsWith('@') ? 2 : 1).join('/')

/** What is wrong with one import, or undefined. */
function checkImport(file: string, statement: ImportStatement, rules: Readonly<Record<string, RoomRule>>, dependencies: readonly string[]): string | undefined {
  const { specifier, kind } = statement
  const room = roomOf(file)
  const rule = room === undefined ? undefined : rules[room]
  if (!specifier.startsWith('.')) {
    if (specifier.startsWith('node:')) return undefined
    const name = packageOf(specifier)
    if (name === 'engram') return `a file of the library imports the library by its name "${specifier}" (import the file itself)`
    if (dependencies.includes(name) || rule?.packages?.includes(name)) return undefined
    return `package "${name}" is not among the dependencies of package.json`
  }
  const target = path.posix.normalize(path.posix.join(path.posix.dirname(file), specifier))
  if (target.startsWith('..')) return `${specifier} leads out of src (what is outside is not in the built package)`
  if (/(^|\/)index\.ts$/.test(target)) return `nothing imports an index.ts (import the file itself instead of src/${target})`
  if (!target.endsWith('.ts')) return `a relative import ends in .ts, found "${specifier}"`
  if (room === undefined || rule === undefined) return undefined
  const targetRoom = roomOf(target)
  if (targetRoom === undefined) return `a room may not import src/${target}, which is above all rooms`
  if (targetRoom === room || rule.rooms.includes(targetRoom) || rule.files?.includes(target)) return undefined
  if (kind === 'type' && rule.types?.includes(targetRoom)) return undefined
  const what = rule.types?.includes(targetRoom) ? `more than types of room "${targetRoom}"` : `room "${targetRoom}"`
  return `room "${room}" may not import ${what} (src/${target}): it may import ${describe(rule)}`
}

/** Cycles of value imports, each as the files on it; type imports are gone at run time and dynamic ones come later. */
function findCycles(graph: ReadonlyMap<string, readonly { readonly target: string; readonly line: number }[]>): string[] {
  const messages: string[] = []
  const state = new Map<string, 'open' | 'done'>()
  const trail: { file: string; line: number }[] = []
  const visit = (file: string): void => {
    state.set(file, 'open')
    for (const { target, line } of graph.get(file) ?? []) {
      trail.push({ file, line })
      if (state.get(target) === 'open') {
        const cycle = trail.slice(trail.findIndex((step) => step.file === target))
        messages.push(`src/${cycle[0].file}:${cycle[0].line}: import cycle: ${[...cycle.map((step) => `src/${step.file}`), `src/${target}`].join(' -> ')}`)
      } else if (!state.has(target)) {
        visit(target)
      }
      trail.pop()
    }
    state.set(file, 'done')
  }
  for (const file of graph.keys()) if (!state.has(file)) visit(file)
  return messages
}

/**
 * Checks the files of `src` (path inside src with forward slashes -> text) and answers one message for each broken rule:
 * `src/FILE:LINE: the rule`.
 */
export function checkImports(
  files: ReadonlyMap<string, string>,
  dependencies: readonly string[],
  rules: Readonly<Record<string, RoomRule>> = houseRules,
): string[] {
  const messages: string[] = []
  const graph = new Map<string, { target: string; line: number }[]>()
  for (const [file, text] of files) {
    const room = roomOf(file)
    if (room === undefined && file !== 'index.ts') messages.push(`src/${file}:1: beside index.ts every file is in a room`)
    if (room !== undefined && rules[room] === undefined) messages.push(`src/${file}:1: room "${room}" has no line in the table of rooms (test/house/import-rules.ts)`)
    const edges: { target: string; line: number }[] = []
    for (const statement of parseImports(text)) {
      const problem = checkImport(file, statement, rules, dependencies)
      if (problem !== undefined) messages.push(`src/${file}:${statement.line}: ${problem}`)
      if (statement.kind !== 'value' || !statement.specifier.startsWith('.')) continue
      const target = path.posix.normalize(path.posix.join(path.posix.dirname(file), statement.specifier))
      if (files.has(target)) edges.push({ target, line: statement.line })
    }
    graph.set(file, edges)
  }
  return [...messages, ...findCycles(graph)]
}
