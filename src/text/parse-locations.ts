import { Location } from '../ir/location.ts'
import { token } from './lex.ts'
import { AttributeParser } from './parse-attributes.ts'

/** A `loc(...)` as written; aliases may be defined later in the text. */
type Place =
  | { readonly kind: 'unknown' }
  | { readonly kind: 'file'; readonly file: string; readonly line: number; readonly column: number }
  | { readonly kind: 'name'; readonly name: string; readonly child: Place }
  /** The places of a call or of ops that were fused: the first known one counts. */
  | { readonly kind: 'several'; readonly places: readonly Place[] }
  | { readonly kind: 'alias'; readonly name: string; readonly offset: number }

interface KnownPlace {
  readonly name?: string
  readonly file?: { readonly file: string; readonly line: number; readonly column: number }
}

/** Locations: those written as `loc(...)`, and where things stand in the text itself. */
export abstract class LocationParser extends AttributeParser {
  readonly #aliases = new Map<string, Place>()
  readonly #pending: { holder: { location: Location | undefined }; place: Place }[] = []
  // The line of the last place asked for. Places are asked for in order.
  #line = 1
  #lineStart = 0
  #nextLine = -1

  /** Where `offset` stands in the text; it must not lie before the line of the last call. */
  protected locationAt(offset: number): Location {
    if (this.#nextLine < 0) this.#nextLine = this.lineEnd(0)
    while (this.#nextLine < offset) {
      this.#line++
      this.#lineStart = this.#nextLine + 1
      this.#nextLine = this.lineEnd(this.#lineStart)
    }
    return Location.inFile(this.file, this.#line, offset - this.#lineStart + 1)
  }

  /** Reads `loc(...)` if it is there; it becomes the location of `holder` once the whole text is read. */
  protected trailingLocation(holder: { location: Location | undefined } | undefined): void {
    if (!this.peek('loc')) return
    const place = this.#location()
    if (holder) this.#pending.push({ holder, place })
  }

  /** The rest of `#name = loc(...)`; false if it defines something else. */
  protected locationAlias(name: string): boolean {
    if (!this.peek('loc')) return false
    this.#aliases.set(name, this.#location())
    return true
  }

  protected isLocationAlias(name: string): boolean {
    return this.#aliases.has(name)
  }

  protected resolveLocations(): void {
    for (const { holder, place } of this.#pending) {
      const known = this.#resolve(place, 0)
      const here = holder.location?.callSite
      const where = known.file ?? here
      if (where) holder.location = Location.inFile(where.file, where.line, where.column, undefined, known.name)
    }
  }

  #location(): Place {
    this.expect('loc')
    this.expect('(')
    const place = this.#place()
    this.expect(')')
    return place
  }

  #place(): Place {
    if (this.kind === token.string) return this.#fileOrName()
    if (this.kind === token.hash) {
      const place: Place = { kind: 'alias', name: this.text.slice(this.start + 1, this.end), offset: this.start }
      this.advance()
      return place
    }
    if (this.accept('unknown')) return { kind: 'unknown' }
    if (this.accept('callsite')) {
      return this.nested(() => {
        this.expect('(')
        const callee = this.#place()
        this.expect('at')
        const caller = this.#place()
        this.expect(')')
        return { kind: 'several', places: [callee, caller] }
      })
    }
    if (this.accept('fused')) {
      return this.nested(() => {
        if (this.accept('<')) {
          this.attribute()
          this.expect('>')
        }
        return { kind: 'several', places: this.list('[', ']', () => this.#place()) }
      })
    }
    if (this.peek('loc')) return this.nested(() => this.#location())
    return this.error('expected location instance')
  }

  /** `"model.py":3:7`, `"model.py":3:7 to 4:1`, `"name"`, `"name"(...)` */
  #fileOrName(): Place {
    const text = this.string()
    if (this.accept(':')) {
      const line = this.smallInteger('a line')
      this.expect(':')
      const column = this.smallInteger('a column')
      if (this.accept('to')) {
        if (!this.peek(':')) this.smallInteger('a line')
        this.expect(':')
        this.smallInteger('a column')
      }
      return { kind: 'file', file: text, line, column }
    }
    let child: Place = { kind: 'unknown' }
    if (this.accept('(')) {
      child = this.nested(() => this.#place())
      this.expect(')')
    }
    return { kind: 'name', name: text, child }
  }

  #resolve(place: Place, depth: number): KnownPlace {
    switch (place.kind) {
      case 'unknown':
        return {}
      case 'file':
        return { file: place }
      case 'name':
        // The outermost name is the most telling one: `jit(step)/layer3/add`.
        return { ...this.#resolve(place.child, depth + 1), name: place.name }
      case 'several': {
        for (const each of place.places) {
          const known = this.#resolve(each, depth + 1)
          if (known.file || known.name !== undefined) return known
        }
        return {}
      }
      case 'alias': {
        const alias = this.#aliases.get(place.name)
        if (!alias) return this.errorAt(place.offset, `operation location alias was never defined: #${place.name}`)
        return depth > deepestAlias ? {} : this.#resolve(alias, depth + 1)
      }
    }
  }
}

/** Aliases of locations may name each other in a circle. */
const deepestAlias = 200
