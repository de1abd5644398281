/** Pairs of two sequences side by side: what stands in both, and what only one of them has. */
export type Aligned<T> = readonly [T, T] | readonly [T, undefined] | readonly [undefined, T]

/** More cells than this are not compared: what is left is then paired in order. */
const mostCells = 4_000_000

/**
 * Aligns two sequences so that as many elements as can be stand opposite an element of the same `key`; of the rest, elements of the
 * same `kind` stand opposite each other, in order. Time is linear where the sequences agree, and the product of the lengths of the
 * stretch in which they do not.
 */
export function alignSequences<T>(a: readonly T[], b: readonly T[], key: (element: T) => string, kind: (element: T) => string): Aligned<T>[] {
  let start = 0
  while (start < a.length && start < b.length && key(a[start]) === key(b[start])) start++
  let endA = a.length
  let endB = b.length
  while (endA > start && endB > start && key(a[endA - 1]) === key(b[endB - 1])) {
    endA--
    endB--
  }
  const middle = align(a.slice(start, endA), b.slice(start, endB), key, kind)
  return [...a.slice(0, start).map((element, i) => [element, b[i]] as const), ...middle, ...a.slice(endA).map((element, i) => [element, b[endB + i]] as const)]
}

function align<T>(a: readonly T[], b: readonly T[], key: (element: T) => string, kind: (element: T) => string): Aligned<T>[] {
  const aligned: Aligned<T>[] = []
  let i = 0
  let j = 0
  for (const [nextA, nextB] of [...commonPairs(a.map(key), b.map(key)), [a.length, b.length]]) {
    aligned.push(...gap(a.slice(i, nextA), b.slice(j, nextB), kind))
    if (nextA < a.length) aligned.push([a[nextA], b[nextB]])
    i = nextA + 1
    j = nextB + 1
  }
  return aligned
}

/** What has no opposite of the same key: elements of one kind are paired. */
function gap<T>(a: readonly T[], b: readonly T[], kind: (element: T) => string): Aligned<T>[] {
  const aligned: Aligned<T>[] = []
  let i = 0
  let j = 0
  for (const [nextA, nextB] of [...commonPairs(a.map(kind), b.map(kind)), [a.length, b.length]]) {
    for (; i < nextA; i++) aligned.push([a[i], undefined])
    for (; j < nextB; j++) aligned.push([undefined, b[j]])
    if (nextA < a.length) aligned.push([a[nextA], b[nextB]])
    i = nextA + 1
    j = nextB + 1
  }
  return aligned
}

/** Indices of a longest common subsequence; equal places alone if the sequences are too long for it. */
function commonPairs(a: readonly string[], b: readonly string[]): [number, number][] {
  const pairs: [number, number][] = []
  if (a.length * b.length > mostCells) {
    for (let i = 0; i < Math.min(a.length, b.length); i++) if (a[i] === b[i]) pairs.push([i, i])
    return pairs
  }
  const width = b.length + 1
  const lengths = new Uint32Array((a.length + 1) * width)
  for (let i = a.length - 1; i >= 0; i--)
    for (let j = b.length - 1; j >= 0; j--)
      lengths[i * width + j] = a[i] === b[j] ? lengths[(i + 1) * width + j + 1] + 1 : Math.max(lengths[(i + 1) * width + j], lengths[i * width + j + 1])
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    if (a[i] === b[j]) pairs.push([i++, j++])
    else if (lengths[(i + 1) * width + j] >= lengths[i * width + j + 1]) i++
    else j++
  }
  return pairs
}
