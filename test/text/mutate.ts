import type { Random } from '../support/op-samples/index.ts'

const pieces = [
  '{', '}', '(', ')', '<', '>', '[', ']', '"', '%0', '%1#1', '#', '!', '@', '->', ':', '::', ',', '=', '-', '0x', '1', '9'.repeat(25), 'dense<', 'tensor<', 'tuple<', '?', '*', 'x',
  'loc(', '//', '\n', '\\', ' ', 'true', '0.5', '1e', '<{', '}>', '^bb0', 'i1', 'index', '!quant.uniform<', '\u0000', 'é', '\ud800', 'array<i64:', 'func.func', 'module', 'attributes',
]

/** `text` with up to three random changes: parts left out, doubled, moved, replaced by other tokens or by parts of `others`, or its end cut off. */
export function mutate(text: string, others: readonly string[], random: Random): string {
  const below = (limit: number): number => Math.floor(random() * limit)
  let out = text
  for (let changes = 1 + below(3); changes > 0; changes--) {
    const at = below(out.length)
    const until = Math.min(out.length, at + below(12))
    const piece = pieces[below(pieces.length)]
    const other = others[below(others.length)]
    const from = below(other.length)
    out = [
      () => out.slice(0, at) + out.slice(until),
      () => out.slice(0, at) + piece + out.slice(at),
      () => out.slice(0, at) + piece + out.slice(until),
      () => out.slice(0, until) + out.slice(at),
      () => out.slice(0, at) + other.slice(from, from + below(60)) + out.slice(until),
      () => out.slice(0, Math.max(at, 1)),
    ][below(6)]()
    if (out.length === 0) return piece
  }
  return out
}
