import fc from 'fast-check'
import { type GeneratedProgram, type Step } from './builder.ts'
import { type Finding, checkProgram, opNames } from './findings.ts'
import { buildProgram, programSeed, sampleRecipe } from './programs.ts'
import type { XlaRunner } from './run-on-xla.ts'

/** Many generated programs in XLA and in the interpreter; what is found is made small. */

export interface CampaignOptions {
  readonly recipes: fc.Arbitrary<Step[]>
  readonly xla: XlaRunner
  readonly seed: number
  /** The first program's number, and how many there are. */
  readonly from?: number
  readonly programs: number
  /** How long one finding may be made smaller. */
  readonly shrinkMs?: number
  readonly onProgress?: (done: number, found: number) => void
  /** Ends the campaign early where it says so. */
  readonly stop?: () => boolean
}

/** A program with what was found, made as small as time allowed. */
export interface FoundProgram {
  /** Its number in the campaign, and the path that fast-check went to the smaller program. */
  readonly index: number
  readonly path: string
  readonly program: GeneratedProgram
  readonly finding: Finding
}

export interface CampaignResult {
  readonly programs: number
  readonly operations: number
  /** How often each op was there. */
  readonly byOp: ReadonlyMap<string, number>
  readonly found: readonly FoundProgram[]
}

/** While one program compiles, others are built, printed and interpreted. */
const inFlight = 3
/** XLA keeps something of each program for good: a new process after so many. */
const programsPerProcess = 1500

export async function runCampaign(options: CampaignOptions): Promise<CampaignResult> {
  const { recipes, xla, seed, from = 0, programs, stop = () => false } = options
  const byOp = new Map<string, number>()
  const suspects: number[] = []
  const found: FoundProgram[] = []
  let done = 0
  let next = from
  const worker = async (until: number): Promise<void> => {
    while (next < until && !stop()) {
      const index = next++
      const program = buildProgram(sampleRecipe(recipes, programSeed(seed, index)))
      for (const name of opNames(program)) byOp.set(name, (byOp.get(name) ?? 0) + 1)
      if (await checkProgram(program, xla)) suspects.push(index)
      done++
      options.onProgress?.(done, found.length + suspects.length)
    }
  }
  while (next < from + programs && !stop()) {
    const until = Math.min(next + programsPerProcess, from + programs)
    await Promise.all(Array.from({ length: inFlight }, () => worker(until)))
    // Alone, for a program that ends the process takes its neighbours along.
    for (const index of suspects.splice(0).sort((a, b) => a - b)) {
      const small = await shrinkProgram(recipes, xla, seed, index, options.shrinkMs ?? 20_000)
      if (small) found.push(small)
    }
    if (until < from + programs) await xla.close()
  }
  const operations = [...byOp.values()].reduce((a, b) => a + b, 0)
  return { programs: done, operations, byOp, found }
}

/** Runs a program again and lets fast-check look for a smaller one with the same fault; undefined if there is none. */
async function shrinkProgram(recipes: fc.Arbitrary<Step[]>, xla: XlaRunner, seed: number, index: number, shrinkMs: number): Promise<FoundProgram | undefined> {
  let smallest: { program: GeneratedProgram; finding: Finding } | undefined
  const property = fc.asyncProperty(recipes, async (steps) => {
    const program = buildProgram(steps)
    const finding = await checkProgram(program, xla)
    if (!finding || (smallest && !sameFault(finding, smallest.finding))) return
    smallest = { program, finding }
    throw new Error(finding.message)
  })
  const { counterexamplePath } = await fc.check(property, { seed: programSeed(seed, index), numRuns: 1, interruptAfterTimeLimit: shrinkMs })
  return smallest && { index, path: counterexamplePath ?? '0', ...smallest }
}

const sameFault = (a: Finding, b: Finding): boolean => a.kind === b.kind && a.difference?.operation.name === b.difference?.operation.name
