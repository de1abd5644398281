import type { Cell } from './cell.ts'
import type { Experiment, Row } from './experiment.ts'
import { memory, runConfig, size, testEvaluation, withMemory, withoutMemory } from './plan.ts'
import type { Plan } from './plan.ts'

const shares = [0.02, 0.05, 0.1, 0.2]
const memorySize = 2048
const percent = (share: number): string => `${Math.round(100 * share)} %`

/** More training of a Transformer-XL, with a memory or, to compare with, without. */
const more = (plan: Plan, seed: number, share: number, remembers: boolean): Cell => ({
  model: remembers ? 'memorizing-transformer' : 'transformer-xl',
  set: remembers ? { ...size, ...memory, memorySize } : size,
  run: runConfig(plan, seed, { steps: Math.ceil(plan.steps * share) }),
  from: { cell: withoutMemory(plan, seed) },
  evaluations: [testEvaluation(plan)],
})

/** Retrofitting a pretrained model: section 4.5 of Wu et al. 2022 in small. */
export const experiment: Experiment = {
  title: 'A memory for a model that was trained without one',
  question:
    'How much of the gap between a model without memory and one trained with it from the start does fine-tuning close, by the share of the pretraining steps? Wu et al. 2022 report 85 % at 4 %. ' +
    'More training alone closes a part of it too, so that is measured beside it.',
  base: 'XL',
  arms: (plan) => [
    { name: 'XL', cells: plan.seeds.map((seed) => withoutMemory(plan, seed)) },
    { name: 'memory from the start', cells: plan.seeds.map((seed) => withMemory(plan, seed, { memorySize })) },
    ...shares.map((share) => ({ name: `memory for the last ${percent(share)}`, cells: plan.seeds.map((seed) => more(plan, seed, share, true)) })),
    ...shares.map((share) => ({ name: `no memory, ${percent(share)} more steps`, cells: plan.seeds.map((seed) => more(plan, seed, share, false)) })),
  ],
  plot: (rows, plan) => {
    const closed = (name: (share: number) => string) => shares.map((share) => ({ x: 100 * share, y: 100 * gapClosed(rows, name(share)) }))
    return {
      title: `Share of the gap that is closed, ${plan.steps} steps of pretraining`,
      x: { label: 'steps after pretraining, % of its own', scale: 'linear', ticks: shares.map((share) => [100 * share, percent(share)]) },
      y: { label: 'gap closed, %' },
      series: [
        { name: 'with memory', points: [{ x: 0, y: 0 }, ...closed((share) => `memory for the last ${percent(share)}`)] },
        { name: 'without', points: [{ x: 0, y: 0 }, ...closed((share) => `no memory, ${percent(share)} more steps`)] },
      ],
    }
  },
}

/** 0 for what the pretrained model has, 1 for what the model with memory from the start has. */
function gapClosed(rows: readonly Row[], arm: string): number {
  const bits = (name: string): number => rows.find((row) => row.arm === name)!.bitsPerByte.mean
  return (bits('XL') - bits(arm)) / (bits('XL') - bits('memory from the start'))
}
