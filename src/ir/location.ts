/**
 * Where an op comes from: the user's call site, kept as an unformatted stack until somebody asks (capturing is cheap,
 * formatting is not), the `scope(...)` it was built in, or a place in a text file.
 */
export interface CallSite {
  readonly function: string | undefined
  readonly file: string
  readonly line: number
  readonly column: number
}

export class Location {
  /** Scope path, outermost first, joined by `/`; empty at top level. */
  readonly scope: string
  readonly #stack: { stack?: string } | undefined
  readonly #file: CallSite | undefined
  readonly #around: Location | undefined
  #site: CallSite | undefined | null = null
  /** Where the function was called that the op belonged to before it took the call's place. */
  readonly caller: Location | undefined

  private constructor(scope: string, stack: { stack?: string } | undefined, file: CallSite | undefined, caller?: Location, around?: Location) {
    this.scope = scope
    this.#stack = stack
    this.#file = file
    this.caller = caller
    this.#around = around
  }

  /** A location made of a captured stack; where that does not reach a user's line, it is that of the call `around` it. */
  static fromStack(scope: string, stack: { stack?: string }, around?: Location): Location {
    return new Location(scope, stack, undefined, undefined, around)
  }

  /** A location inside a text file, in a scope of the program that was printed there. Lines and columns count from 1. */
  static inFile(file: string, line: number, column: number, name?: string, scope = ''): Location {
    return new Location(scope, undefined, { function: name, file, line, column })
  }

  /** The same place in a function that was called at `caller`; the caller's scope is around its own. */
  calledFrom(caller: Location): Location {
    const scope = caller.scope && this.scope ? `${caller.scope}/${this.scope}` : caller.scope || this.scope
    return new Location(scope, this.#stack, this.#file, this.caller ? this.caller.calledFrom(caller) : caller, this.#around)
  }

  /** The innermost frame that is not Engram's own. */
  get callSite(): CallSite | undefined {
    if (this.#file) return this.#file
    if (this.#site === null) this.#site = (this.#stack?.stack === undefined ? undefined : userFrame(this.#stack.stack)) ?? this.#around?.callSite
    return this.#site
  }

  /** `attend (model.ts:41:12) in layer3`, `gelu.mlir:7:3 in layer3, called at layer (model.ts:9:5)`, or undefined if nothing is known. */
  describe(): string | undefined {
    const scope = this.scope ? `in ${this.scope}` : ''
    const here = [this.#place, scope].filter(Boolean).join(' ')
    const callers: string[] = []
    for (let at = this.caller; at; at = at.caller) if (at.#place) callers.push(`called at ${at.#place}`)
    return [here, ...callers].filter(Boolean).join(', ') || undefined
  }

  get #place(): string | undefined {
    const site = this.callSite
    const place = site && `${site.file}:${site.line}:${site.column}`
    return site?.function ? `${site.function} (${place})` : place
  }
}

/** Rooms of the compiler itself: their frames never are "the user's line". Models and layers are written in the DSL, so they may be. */
const compilerRooms = new Set(['ir', 'trace', 'ops', 'lib', 'autodiff', 'program', 'text', 'verify', 'interpret', 'knn', 'vitest', 'index'])
const here = import.meta.url.replace(/ir\/location\.[jt]s.*$/, '')
const herePath = here.replace(/^file:\/\//, '')

function userFrame(stack: string): CallSite | undefined {
  for (const line of stack.split('\n')) {
    const match = /^\s+at (?:async )?(?:(.*?) \()?((?:file:\/\/)?[^()]*?):(\d+):(\d+)\)?$/.exec(line)
    if (!match) continue
    const [, name, rawFile, row, column] = match
    if (rawFile.startsWith('node:')) continue
    const file = rawFile.replace(/^file:\/\//, '').replace(/\?.*$/, '')
    if (file.startsWith(herePath) && compilerRooms.has(file.slice(herePath.length).split(/[/.]/)[0])) continue
    return { function: name?.replace(/^(?:Object|Module)\./, ''), file, line: Number(row), column: Number(column) }
  }
  return undefined
}
