import type { Experiment } from './experiment.ts'
import { point } from './experiment.ts'
import { runConfig, size, testEvaluation, withMemory, withoutMemory } from './plan.ts'

const sizes = [512, 2048, 8192, 32768]

/** Table 4 of Wu et al. 2022 in small. */
export const experiment: Experiment = {
  title: 'Bits per byte against the size of the memory',
  question: 'What is a memory worth at equal training tokens, and does more of it help? Table 4 of Wu et al. 2022 in small.',
  base: 'XL cache 64',
  arms: (plan) => [
    {
      name: 'no cache',
      cells: plan.seeds.map((seed) => {
        const { cacheLength: _, ...rest } = size
        return { model: 'transformer', set: rest, run: runConfig(plan, seed), evaluations: [testEvaluation(plan)] }
      }),
    },
    { name: 'XL cache 64', cells: plan.seeds.map((seed) => withoutMemory(plan, seed)) },
    ...sizes.map((memorySize) => ({ name: `memory ${memorySize}`, cells: plan.seeds.map((seed) => withMemory(plan, seed, { memorySize })) })),
  ],
  plot: (rows, plan) => ({
    title: `Test bits per byte, ${plan.steps} steps, ${plan.seeds.length} seeds`,
    x: { label: 'tokens of memory', scale: 'log' },
    y: { label: 'bits per byte' },
    series: [
      { name: 'memory, and cache of 64', points: sizes.flatMap((n) => rows.filter(({ arm }) => arm === `memory ${n}`).map((row) => point(n, row))) },
      { name: 'cache of 64 alone', level: true, points: rows.filter(({ arm }) => arm === 'XL cache 64').map((row) => point(512, row)) },
    ],
  }),
}
