/**
 * Reads the final instruction bundles of a TPU kernel as libtpu prints them: one line for each very long instruction word. A
 * loop's bundles count as often as the loop turns, which its exit test says where the number is a constant. Bundles take at least
 * a cycle each, so the sum is a lower bound of the kernel's cycles.
 */

/** What the bundles of one kernel come to. */
export interface BundleCount {
  /** Bundles, each as often as its loops turn. */
  readonly cycles: number
  /** Bundles as they stand in the code. */
  readonly bundles: number
  /** Loops whose number of turns the code does not say; they are counted as turning once. */
  readonly unknownLoops: number
}

interface OpenLoop {
  readonly start: number
  /** Turns that the exit test counts beyond those of this body: a pipelined loop runs some stages before and after it. */
  readonly extraTurns: 0 | 1 | 2
  readonly regions: Set<string>
}

interface Loop {
  readonly first: number
  readonly last: number
  readonly turns: number
}

const bundlePattern = /^\s*(?:0x[0-9a-f]+|0)\s+(\w+)?\s*:/
const exitPattern = /scmp\.ge\.s32\.totalorder %\S+, (\d+) \/\* loop exit test/
const headerRegionPattern = /Start (?:region|\/End empty region) (\d+)/g
const regionPattern = /Start region (\d+)/g
const backBranchPattern = /sbr\.rel \(!%\S+\) target = \$region(\d+)/g
/** Bundles after the head of a loop in which the number of its region may still be said. */
const headBundles = 3

/** Counts the bundles of a kernel, whose text comes in pieces. */
export class BundleCounter {
  #rest = ''
  #current = -1
  /** Those that have no end yet, outermost first. */
  readonly #open: OpenLoop[] = []
  readonly #loops: Loop[] = []
  #lastExit: { readonly at: number; readonly turns: number } | undefined
  #unknown = 0

  /** Takes the next piece of the text; it may end anywhere. */
  push(text: string): void {
    const lines = (this.#rest + text).split('\n')
    this.#rest = lines.pop() as string
    for (const line of lines) this.#line(line)
  }

  /** The count, after the last piece. */
  finish(): BundleCount {
    if (this.#rest) this.#line(this.#rest)
    this.#rest = ''
    const bundles = this.#current + 1
    const weights = new Float64Array(bundles).fill(1)
    for (const { first, last, turns } of this.#loops) for (let i = first; i <= last; i++) weights[i] *= turns
    return { cycles: weights.reduce((sum, weight) => sum + weight, 0), bundles, unknownLoops: this.#unknown + this.#open.length }
  }

  #line(line: string): void {
    const bundle = bundlePattern.exec(line)
    if (bundle) this.#current++
    const exit = line.includes('loop exit test') ? exitPattern.exec(line) : null
    if (exit) this.#lastExit = { at: this.#current, turns: Number(exit[1]) }
    const innermost = this.#open.at(-1)
    if (bundle?.[1] === 'LB') {
      const extraTurns = line.includes('stage = 1') ? 2 : line.includes('iteration index, stage = 0') ? 1 : 0
      this.#open.push({ start: this.#current, extraTurns, regions: new Set(Array.from(line.matchAll(headerRegionPattern), (match) => match[1])) })
    } else if (innermost && this.#current - innermost.start < headBundles && !line.includes('End region')) {
      for (const match of line.matchAll(regionPattern)) innermost.regions.add(match[1])
    }
    if (line.includes('sbr.rel')) for (const match of line.matchAll(backBranchPattern)) this.#close(match[1])
  }

  /** A branch back to `region` ends the innermost loop that begins there. */
  #close(region: string): void {
    const at = this.#open.findLastIndex(({ regions }) => regions.has(region))
    if (at < 0) return
    const [{ start, extraTurns }] = this.#open.splice(at, 1)
    const known = this.#lastExit !== undefined && this.#lastExit.at >= start
    if (!known) this.#unknown++
    this.#loops.push({ first: start, last: this.#current, turns: known ? Math.max(1, this.#lastExit!.turns - extraTurns) : 1 })
    this.#lastExit = undefined
  }
}
