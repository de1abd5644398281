import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { loadCases } from '../../src/cli/conformance-cases.ts'
import { runCase } from '../../src/cli/conformance-run.ts'
import { compareWithKnown, readKnownFailures } from '../../src/cli/known-failures.ts'
import { conformanceFolder, hasConformanceFolder } from '../support/conformance-folder.ts'

const list = fileURLToPath(new URL('known-failures.json', import.meta.url))

describe('the list of known failures', () => {
  it('is short, and has a reason for each case', async () => {
    const known = await readKnownFailures(list)
    expect(known.size).toBeLessThanOrEqual(5)
    for (const reason of known.values()) expect(reason.split(' ').length).toBeGreaterThan(10)
  })
})

describe.runIf(hasConformanceFolder)('the programs of the conformance folder', () => {
  it('pass, but for those in the list, and those in the list fail', { timeout: 180_000 }, async () => {
    const cases = await loadCases(conformanceFolder)
    const failed: string[] = []
    let refused = 0
    for (const each of cases) {
      const result = await runCase(each)
      if (!result.passed) failed.push(each.id)
      if (result.refused) refused++
    }
    expect(compareWithKnown(await readKnownFailures(list), cases.map(({ id }) => id), failed, true)).toEqual({ unexpectedFailures: [], unexpectedPasses: [], missing: [] })
    expect(refused).toBe(cases.filter(({ mode }) => mode === 'verify_reject').length)
    expect(cases.length).toBeGreaterThan(2800)
  })
})
