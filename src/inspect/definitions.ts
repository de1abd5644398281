import { InputError } from '../ir/errors.ts'

/** A run of a text, in UTF-16 code units. */
export interface Span {
  readonly start: number
  /** Exclusive. */
  readonly end: number
}

/** How definitions look in one language. The rules are patterns over the text, not parsers: comments and strings count like all else. */
export interface DefinitionRule {
  readonly language: string
  /** What a definition is, for people. */
  readonly title: string
  /** Endings of file names. */
  readonly extensions: readonly string[]
  /** With a group `name`, and the flags `g`, `m` and `d`. */
  readonly pattern: RegExp
  /** Characters of names beside letters, digits and `_`. */
  readonly nameCharacters: string
}

export const definitionRules: readonly DefinitionRule[] = [
  {
    language: 'hol-light',
    title: '`let NAME = prove ...`, and the same with new_definition, new_recursive_definition, new_inductive_definition or define',
    extensions: ['.ml', '.hl'],
    pattern: /^[ \t]*let\s+(?:rec\s+)?(?<name>[A-Za-z_][\w']*)\s*=\s*(?:prove\w*|new_\w*definition|define)\b/gmd,
    nameCharacters: "'",
  },
  {
    language: 'go',
    title: '`func NAME(`, and methods `func (receiver) NAME(`',
    extensions: ['.go'],
    pattern: /^func\s+(?:\([^)\n]*\)\s*)?(?<name>[A-Za-z_]\w*)\s*[([]/gmd,
    nameCharacters: '',
  },
  {
    language: 'typescript',
    title: '`function NAME(`, and `const NAME = (...) =>`, in TypeScript and JavaScript',
    extensions: ['.ts', '.tsx', '.mts', '.cts', '.js', '.jsx', '.mjs', '.cjs'],
    pattern: /(?:\bfunction\s*\*?\s*|^[ \t]*(?:export\s+)?const\s+(?=[\w$]+\s*=\s*(?:async\s*)?(?:\([^()\n]*\)|[\w$]+)\s*(?::[^=\n]+)?=>))(?<name>[A-Za-z_$][\w$]*)/gmd,
    nameCharacters: '$',
  },
  {
    language: 'python',
    title: '`def NAME(`',
    extensions: ['.py'],
    pattern: /^[ \t]*(?:async[ \t]+)?def[ \t]+(?<name>[A-Za-z_]\w*)\s*\(/gmd,
    nameCharacters: '',
  },
]

/**
 * The rules that fit a document: by the ending of its name, or where several files were joined under headings `==> NAME <==`, by the
 * endings of theirs.
 */
export function rulesFor(documentName: string, text: string): readonly DefinitionRule[] {
  const names = [documentName.replace(/#\d+$/, ''), ...Array.from(text.matchAll(/^==> (.+) <==$/gm), (match) => match[1])]
  return definitionRules.filter(({ extensions }) => extensions.some((ending) => names.some((name) => name.endsWith(ending))))
}

/**
 * A rule of the user's own: the name is the group `name`, otherwise the first group, otherwise the whole match. `^` and `$` mean lines.
 * Throws `InputError` `DEFINITION_PATTERN` where it is no regular expression.
 */
export function ruleFromPattern(source: string): DefinitionRule {
  const compile = (flags: string): RegExp | undefined => {
    try {
      return new RegExp(source, flags)
    } catch (error) {
      if (flags === 'gmd') throw new InputError(`/${source}/ is not a regular expression: ${(error as Error).message}`, 'DEFINITION_PATTERN', error)
      return undefined
    }
  }
  return { language: 'pattern', title: `/${source}/`, extensions: [], pattern: compile('gmdu') ?? compile('gmd')!, nameCharacters: "$'" }
}

/** A name at a place of a text. */
export interface NamedSpan extends Span {
  readonly name: string
}

/** A use of a name that was defined earlier in the text. */
export interface Reference extends NamedSpan {
  /** The last definition of that name before it. */
  readonly definition: NamedSpan
}

export interface ReferenceRules {
  readonly rules: readonly DefinitionRule[]
  /** Shorter names are passed over: they are used for many things. */
  readonly shortestName?: number
}

/** The names that the rules find defined, in order of place. */
export function findDefinitions(text: string, { rules, shortestName = 4 }: ReferenceRules): NamedSpan[] {
  const found = rules.flatMap(({ pattern }) =>
    Array.from(text.matchAll(pattern), (match): NamedSpan => {
      const [start, end] = match.indices!.groups?.name ?? match.indices![1] ?? match.indices![0]!
      return { name: text.slice(start, end), start, end }
    }),
  )
  const unique = new Map(found.filter(({ name }) => name.length >= shortestName && name.trim() === name).map((each) => [each.start, each]))
  return [...unique.values()].sort((a, b) => a.start - b.start)
}

/**
 * The uses of defined names, in order of place: each whole word that is the name and stands after a definition of it. A name that is defined
 * several times is taken to mean the last definition before.
 */
export function findReferences(text: string, definitions: readonly NamedSpan[], { rules }: Pick<ReferenceRules, 'rules'>): Reference[] {
  const places = new Map<string, NamedSpan[]>()
  for (const definition of definitions) {
    const known = places.get(definition.name)
    if (known) known.push(definition)
    else places.set(definition.name, [definition])
  }
  const references: Reference[] = []
  for (const { name, start, end } of wordsOf(text, [...places.keys()], rules.map(({ nameCharacters }) => nameCharacters).join(''))) {
    const known = places.get(name)!
    if (known.some((each) => each.start < end && start < each.end)) continue
    const definition = known.findLast((each) => each.end <= start)
    if (definition) references.push({ name, start, end, definition })
  }
  return references
}

/** Where the names stand as whole words. */
function wordsOf(text: string, names: readonly string[], extra: string): NamedSpan[] {
  const inside = `[\\p{L}\\p{N}_${extra.replace(/[\\\]^-]/g, '\\$&')}]`
  const word = new RegExp(`(?<!${inside})[\\p{L}_$]${inside}*`, 'gu')
  const isWord = new RegExp(`^[\\p{L}_$]${inside}*$`, 'u')
  const wanted = new Set(names.filter((name) => isWord.test(name)))
  const found: NamedSpan[] = []
  for (const match of text.matchAll(word)) if (wanted.has(match[0])) found.push({ name: match[0], start: match.index, end: match.index + match[0].length })
  // Names of the user's own patterns may be more or less than words.
  const others = names.filter((name) => !wanted.has(name))
  if (others.length > 0) {
    const pattern = new RegExp(`(?<!${inside})(?:${others.sort((a, b) => b.length - a.length).map((name) => name.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&')).join('|')})(?!${inside})`, 'gu')
    for (const match of text.matchAll(pattern)) found.push({ name: match[0], start: match.index, end: match.index + match[0].length })
  }
  return found.sort((a, b) => a.start - b.start)
}
