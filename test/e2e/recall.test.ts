import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Session } from '../../src/program/session.ts'
import { startRunner } from '../../src/program/start.ts'
import { trainOnRecall } from '../support/recall-training.ts'

let session: Session
beforeAll(async () => { session = await startRunner() })
afterAll(() => session.close())

/** Names and values are random: nothing but reading them again can answer. Source of the task: `src/data/recall-task.ts`. */
describe('what was read more than cache and segment ago', () => {
  it.each([1, 2])('is recalled by a Memorizing Transformer (seed %i)', async (seed) => {
    const { far, near, chance } = await trainOnRecall(session, 'memorizing-transformer', seed, 0.97)
    expect(chance).toBe(0.125)
    expect(far).toBeGreaterThanOrEqual(0.9)
    expect(near).toBeGreaterThanOrEqual(0.9)
  })

  it('is out of reach for a Transformer-XL, which learns the same rule near by', async () => {
    const { far, near } = await trainOnRecall(session, 'transformer-xl', 1, 0.97)
    expect(near).toBeGreaterThanOrEqual(0.8)
    expect(far).toBeLessThan(0.2)
  })
})
