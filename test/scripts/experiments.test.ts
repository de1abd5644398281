import { describe, expect, test } from 'vitest'
import type { Cell, CellResult } from '../../scripts/experiments/cell.ts'
import { rowKey, rowsOf } from '../../scripts/experiments/experiment.ts'
import type { Plan } from '../../scripts/experiments/plan.ts'
import { plotSvg } from '../../scripts/experiments/plot.ts'
import { experimentNames, loadExperiment } from '../../scripts/experiments/registry.ts'
import { cellName } from '../../scripts/experiments/run-cell.ts'
import { preset } from '../../src/models/registry.ts'
import { checkRunConfig } from '../../src/train/run-config.ts'

const plan: Plan = { corpus: 'hol-light', shards: 'shards/hol-light', seeds: [1, 2], steps: 2000, testTokens: 4096 }

/** A model's configuration as `engram train MODEL:small --set` makes it. */
const configuration = ({ model, set }: Pick<Cell, 'model' | 'set'>): Record<string, unknown> => preset(model, 'small', set).config

/** Results as if the cell had been computed, each a little different. */
function madeUp(cell: Cell, i: number): CellResult {
  const bitsPerByte = (j: number): number => 1.5 - 0.01 * i - 0.001 * j + 0.002 * cell.run.seed
  const evaluations = cell.evaluations.map(({ name }, j) => [name, { bitsPerByte: bitsPerByte(j), natsPerToken: 2, perplexity: 8, accuracy: 0.4, tokens: 4096, bytes: 9000 }] as const)
  return { folder: cellName(cell), parameters: 1e6 + 1000 * i, steps: cell.run.steps, tokens: 1e6, trainingSeconds: 60, curve: [], evaluations: Object.fromEntries(evaluations) }
}

describe.each(experimentNames)('the experiment %s', (name) => {
  test('has cells that can be trained, evaluated and begun from others', async () => {
    const { arms } = await loadExperiment(name)
    const check = (cell: Cell): void => {
      const own = configuration(cell)
      expect(checkRunConfig(cell.run)).toMatchObject({ steps: cell.run.steps, seed: cell.run.seed })
      for (const { set = {}, maxDocumentTokens } of cell.evaluations) {
        expect(configuration({ model: cell.model, set: { ...cell.set, ...set } })).toMatchObject({ ...own, ...set })
        expect(maxDocumentTokens).toBeGreaterThan(1)
      }
      expect(new Set(cell.evaluations.map((evaluation) => evaluation.name)).size).toBe(cell.evaluations.length)
      if (cell.from) {
        expect(cell.from.step ?? 0).toBeLessThanOrEqual(cell.from.cell.run.steps)
        check(cell.from.cell)
      }
    }
    for (const arm of arms(plan)) arm.cells.forEach(check)
  })

  test('has a cell for each seed in every arm, told apart by the seed and the arm, and the same wherever the shards lie', async () => {
    const { arms } = await loadExperiment(name)
    const names = (of: Plan): string[][] => arms(of).map(({ cells }) => cells.map(cellName))
    const own = names(plan)
    for (const [i, arm] of arms(plan).entries()) {
      expect(arm.cells.map(({ run }) => run.seed)).toEqual(plan.seeds)
      expect(own[i].map((cell) => cell.match(/-seed(\d+)-/)?.[1])).toEqual(['1', '2'])
    }
    expect(new Set(own.flat()).size).toBe(own.flat().length)
    expect(names({ ...plan, shards: 'elsewhere/hol-light' })).toEqual(own)
    expect(names({ ...plan, steps: 1000 }).flat().some((cell) => own.flat().includes(cell))).toBe(false)
    expect(new Set(arms(plan).map((arm) => arm.name)).size).toBe(own.length)
  })

  test('draws its plot from results', async () => {
    const experiment = await loadExperiment(name)
    const rows = rowsOf(experiment.arms(plan).map((arm, i) => ({ name: arm.name, results: arm.cells.map((cell) => madeUp(cell, i)) })), experiment.base)
    expect(rows.find((row) => rowKey(row) === experiment.base)!.gain.values).toEqual([0, 0])
    const plot = experiment.plot(rows, plan)
    for (const { name: series, points } of plot.series) {
      expect(points.length, series).toBeGreaterThan(0)
      for (const { x, y } of points) expect([x, y].every(Number.isFinite), series).toBe(true)
    }
    expect(plotSvg(plot)).not.toContain('NaN')
  })
})

test('the experiment search reads with searches that miss neighbours on a CPU too', async () => {
  const { arms } = await loadExperiment('search')
  const sets = arms(plan).flatMap(({ cells }) => cells.flatMap(({ evaluations }) => evaluations.flatMap(({ set }) => (set && Object.keys(set).length > 0 ? [set] : []))))
  expect(sets).toHaveLength(3 * 2 * 3)
  for (const set of sets) expect(set).toMatchObject({ search: 'approximate', searchLowering: 'packed' })
})
