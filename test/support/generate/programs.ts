import fc from 'fast-check'
import { type Generator, type GeneratedProgram, ProgramBuilder, type Step } from './builder.ts'
import { generators as contractions } from './contractions.ts'
import { generators as control } from './control.ts'
import { generators as elementwise } from './elementwise.ts'
import { generators as indexed } from './indexed.ts'
import { generators as movement } from './movement.ts'
import { generators as reductions } from './reductions.ts'
import { generators as transforms } from './transforms.ts'

/**
 * Well-typed StableHLO programs for fast-check. A program is drawn as a recipe, a list of steps: the name of a generator and numbers for its
 * choices. A step takes what it needs from the values of earlier steps or from new inputs, so that any recipe builds, also one that shrinking
 * has taken steps out of.
 */

/** Every generator by its name: the op's, in a few cases with a remark. */
export const generators: ReadonlyMap<string, Generator> = new Map([...elementwise, ...movement, ...reductions, ...indexed, ...contractions, ...control, ...transforms])

/** Of the steps of a program, how many are element-wise at most: there are many such ops, and they would crowd out the rest. */
const otherWeight = 3

export interface RecipeOptions {
  /** Names of generators or of ops; all if absent. */
  readonly ops?: readonly string[]
  readonly mostSteps?: number
}

/** Names of the generators that are asked for. Throws `RangeError` for one that is not there. */
export function generatorNames(ops: readonly string[] | undefined): string[] {
  if (!ops || ops.length === 0) return [...generators.keys()]
  return ops.flatMap((wanted) => {
    const names = [...generators.keys()].filter((name) => [name, name.replace(/ .*/, ''), name.replace(/^\w+\.| .*/g, '')].includes(wanted))
    if (names.length === 0) throw new RangeError(`there is no generator for '${wanted}'; there are ${[...generators.keys()].join(', ')}`)
    return names
  })
}

/** Recipes of 1 to 16 steps; shrinking takes steps away and makes their numbers smaller. */
export function recipes({ ops, mostSteps = 16 }: RecipeOptions = {}): fc.Arbitrary<Step[]> {
  const names = generatorNames(ops)
  const simple = new Set(elementwise.map(([name]) => name))
  const [few, many] = [names.filter((name) => !simple.has(name)), names.filter((name) => simple.has(name))]
  const op = few.length === 0 || many.length === 0
    ? fc.constantFrom(...names)
    : fc.oneof({ arbitrary: fc.constantFrom(...many), weight: 2 }, { arbitrary: fc.constantFrom(...few), weight: otherWeight })
  const draws = fc.array(fc.nat(2 ** 31 - 1), { minLength: 40, maxLength: 40 })
  // Bias would prefer small numbers and short programs, that is, the simplest choices.
  return fc.noBias(fc.array(fc.record({ op, draws }), { minLength: 1, maxLength: mostSteps, size: 'max' }))
}

/** Builds the program of a recipe. */
export const buildProgram = (steps: readonly Step[]): GeneratedProgram => ProgramBuilder.build(steps, generators)

/** The seed of the `index`th program of a run; neighbours have nothing in common. */
export function programSeed(seed: number, index: number): number {
  let x = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(index + 1, 0xc2b2ae35)
  x = Math.imul(x ^ (x >>> 16), 0x7feb352d)
  x = Math.imul(x ^ (x >>> 15), 0x846ca68b)
  return (x ^ (x >>> 16)) | 0
}

/** The recipe of a seed: what `fc.check` draws first with it. */
export const sampleRecipe = (arbitrary: fc.Arbitrary<Step[]>, seed: number): Step[] => fc.sample(arbitrary, { seed, numRuns: 1 })[0]
