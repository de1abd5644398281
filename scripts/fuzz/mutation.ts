import type { SeededRandom } from '../../src/data/random.ts'

/** Random changes to programs as text: what a slip, a broken disk or an attacker makes of a file. */

/** Tokens that mean something to the parser, and some that mean nothing. */
const tokens = [
  '{', '}', '(', ')', '<', '>', '[', ']', '"', '%0', '%1#1', '#', '!', '@', '->', ':', '::', ',', '=', '-', '0x', '1', 'dense<', 'tensor<', 'tuple<', '?', '*', 'x', 'loc(',
  '//', '\n', '\\', ' ', 'true', '0.5', '1e', '<{', '}>', '^bb0', 'i1', 'index', '!quant.uniform<', '\u0000', 'é', '\ud800', 'array<i64:', 'func.func', 'module', 'attributes',
]
const hugeNumbers = ['9'.repeat(25), '9223372036854775807', '-9223372036854775808', '18446744073709551616', '4294967296', '0xFFFFFFFFFFFFFFFFFF', '1e999', '-1', `1${'0'.repeat(400)}`]
/** What opens and closes a level of nesting. */
const brackets: readonly (readonly [string, string])[] = [
  ['(', ')'], ['[', ']'], ['{', '}'], ['<', '>'], ['tuple<', '>'], ['loc(callsite(', '))'], ['dense<[', ']>'], ['{a = ', '}'], ['({', '})'], ['module {', '}'], ['#a.b<', '>'], ['"', '"'],
]

interface Place {
  readonly text: string
  readonly others: readonly string[]
  /** A whole number of at least 0 and below `limit`. */
  below(limit: number): number
}
type Change = (place: Place) => string

const pick = <T>(list: readonly T[], { below }: Place): T => list[below(list.length)]
/** A range of the text of up to `longest` characters. */
function range({ text, below }: Place, longest: number): [number, number] {
  const at = below(text.length + 1)
  return [at, Math.min(text.length, at + below(longest))]
}
const replace = (text: string, [from, to]: readonly [number, number], by: string): string => text.slice(0, from) + by + text.slice(to)

/** The kinds of change, by what they are called in reports. */
export const changes: Readonly<Record<string, Change>> = {
  flip: (place) => {
    const { text, below } = place
    const at = below(text.length)
    return replace(text, [at, at + 1], String.fromCharCode(text.charCodeAt(at) ^ (1 << below(8))))
  },
  remove: (place) => replace(place.text, range(place, 40), ''),
  duplicate: (place) => {
    const [from, to] = range(place, 200)
    return replace(place.text, [to, to], place.text.slice(from, to))
  },
  move: (place) => {
    const [from, to] = range(place, 80)
    const rest = replace(place.text, [from, to], '')
    const at = place.below(rest.length + 1)
    return replace(rest, [at, at], place.text.slice(from, to))
  },
  insert: (place) => replace(place.text, range(place, 8), pick(tokens, place)),
  splice: (place) => {
    const other = pick(place.others, place)
    const from = place.below(other.length)
    return replace(place.text, range(place, 100), other.slice(from, from + place.below(300)))
  },
  line: (place) => {
    const lines = place.text.split('\n')
    const other = pick(place.others, place).split('\n')
    lines.splice(place.below(lines.length), place.below(2), pick(other, place))
    return lines.join('\n')
  },
  truncate: (place) => place.text.slice(0, place.below(place.text.length)),
  number: (place) => {
    const numbers = [...place.text.matchAll(/\d+/g)]
    if (numbers.length === 0) return pick(hugeNumbers, place)
    const { index, 0: digits } = pick(numbers, place)
    return replace(place.text, [index, index + digits.length], pick(hugeNumbers, place))
  },
  nest: (place) => {
    const [open, close] = pick(brackets, place)
    const depth = 10 ** place.below(5)
    const [from, to] = range(place, 40)
    const closed = place.below(2) ? close.repeat(depth) : ''
    return replace(place.text, [from, to], open.repeat(depth) + place.text.slice(from, to) + closed)
  },
}

/** `text` with one to three changes; `others` are programs from which parts are taken. The same random numbers give the same text. */
export function mutate(text: string, others: readonly string[], random: SeededRandom): string {
  const kinds = Object.values(changes)
  let out = text
  for (let count = 1 + random.below(3); count > 0 && out !== ''; count--) {
    const place: Place = { text: out, others, below: (limit) => random.below(Math.max(1, limit)) }
    out = pick(kinds, place)(place)
  }
  return out
}
