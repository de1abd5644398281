import { afterAll, describe, expect, it } from 'vitest'
import { HostArray } from '../../src/ir/host-array.ts'
import type { Tensor } from '../../src/ir/module.ts'
import { interpret } from '../../src/interpret/interpreter.ts'
import { type CampaignResult, runCampaign } from '../support/generate/campaign.ts'
import { firstDifference } from '../support/generate/compare-results.ts'
import { findingText } from '../support/generate/findings.ts'
import { buildProgram, programSeed, recipes, sampleRecipe } from '../support/generate/programs.ts'
import { XlaRunner } from '../support/generate/run-on-xla.ts'

/**
 * 500 generated programs of up to 10 steps, the same every time; `scripts/fuzz/differential.ts` runs any number of others. Every op of a
 * program is compared, and every program is printed, read back in both forms and verified.
 */

const xla = new XlaRunner()
afterAll(() => xla.close())

const describeFound = ({ found }: CampaignResult, seed: number): string =>
  found.map(({ index, path, program, finding }) => `seed ${seed}, program ${index}, path ${path}\n${findingText(program, finding)}`).join('\n\n')

/** A program whose results are the interpreter's own but for one integer. */
function differenceOfWrongResult(index: number): { difference: ReturnType<typeof firstDifference>; wrong: Tensor } | undefined {
  const program = buildProgram(sampleRecipe(recipes({ ops: ['reverse', 'add', 'slice', 'negate'], mostSteps: 6 }), programSeed(3, index)))
  const results = interpret(program.module, program.inputs) as HostArray[]
  const at = results.findIndex(({ dtype, data }) => dtype === 'i32' && data.length > 0)
  if (at < 0) return undefined
  const data = (results[at].data as Int32Array).map((value, i) => (i === 0 ? value ^ 1 : value))
  const changed = results.with(at, new HostArray(results[at].type, data))
  return { difference: firstDifference(program, changed), wrong: program.results[at] }
}

describe('the comparison', () => {
  it('finds one wrong element, at the op that gives it', () => {
    const tried = Array.from({ length: 60 }, (_, i) => differenceOfWrongResult(i)).filter((each) => each !== undefined)
    expect(tried.length).toBeGreaterThan(5)
    for (const { difference, wrong } of tried) {
      expect(difference?.operation).toBe(wrong.definition)
      expect(difference?.position).toBe(0)
    }
  })
})

describe('interpreter and XLA on the CPU agree op by op', () => {
  it.each([1, 2])('on 250 generated programs, seed %i', async (seed) => {
    const result = await runCampaign({ recipes: recipes({ mostSteps: 10 }), xla, seed, programs: 250 })
    expect(describeFound(result, seed)).toBe('')
    expect(result.programs).toBe(250)
    expect(result.operations).toBeGreaterThan(1000)
    expect(result.byOp.size).toBeGreaterThan(80)
  }, 300_000)
})
