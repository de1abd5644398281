import fs from 'node:fs'
import { describe, expect, it } from 'vitest'
import { recallFigure } from '../../scripts/docs/recall-figure.ts'

describe('the picture of recall against bins', () => {
  it('is what its script makes, from the search\'s own ops', async () => {
    expect(fs.readFileSync(new URL('../../docs/concepts/recall.svg', import.meta.url), 'utf8')).toBe(await recallFigure())
  })
})
