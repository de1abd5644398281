import type { Experiment } from './experiment.ts'
import { point } from './experiment.ts'
import { withMemory, withoutMemory } from './plan.ts'

/** Widths whose models have about 1, 2 and 4 times the parameters of the smallest. */
const widths = [
  { times: 1, set: { width: 128, feedForwardSize: 512 } },
  { times: 2, set: { width: 208, feedForwardSize: 832 } },
  { times: 4, set: { width: 320, feedForwardSize: 1280 } },
]

/** The scaling figure of Wu et al. 2022 in small: is a memory worth as much as more parameters? */
export const experiment: Experiment = {
  title: 'A memory against more parameters',
  question: 'How many parameters more does a model without memory need to reach one with a memory of 2,048 tokens? The scaling figure of Wu et al. 2022 in small.',
  base: 'XL, 1 times the size',
  arms: (plan) =>
    widths.flatMap(({ times, set }) => [
      { name: `XL, ${times} times the size`, cells: plan.seeds.map((seed) => withoutMemory(plan, seed, set)) },
      { name: `memory 2048, ${times} times the size`, cells: plan.seeds.map((seed) => withMemory(plan, seed, { ...set, memorySize: 2048 })) },
    ]),
  plot: (rows, plan) => ({
    title: `Test bits per byte against parameters, ${plan.steps} steps`,
    x: { label: 'parameters (millions)', scale: 'log', ticks: rows.filter(({ arm }) => arm.startsWith('XL')).map(({ parameters }) => [parameters / 1e6, (parameters / 1e6).toFixed(2)]) },
    y: { label: 'bits per byte' },
    series: [
      { name: 'cache of 64 alone', points: rows.filter(({ arm }) => arm.startsWith('XL')).map((row) => point(row.parameters / 1e6, row)) },
      { name: 'memory of 2,048', points: rows.filter(({ arm }) => arm.startsWith('memory')).map((row) => point(row.parameters / 1e6, row)) },
    ],
  }),
}
