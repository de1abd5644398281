import type { Cell } from './cell.ts'
import type { Experiment } from './experiment.ts'
import { point } from './experiment.ts'
import { type Plan, runConfig, testEvaluation, withMemory, withoutMemory } from './plan.ts'

const sizes = [512, 2048, 8192, 32768]
const evaluations = (plan: Plan) => sizes.map((memorySize) => testEvaluation(plan, `read with ${memorySize}`, { memorySize }))

const trained = (plan: Plan, seed: number, memorySize: number): Cell => ({ ...withMemory(plan, seed, { memorySize }), evaluations: evaluations(plan) })

/** A tenth of the steps more, with a memory of another size. */
const tuned = (plan: Plan, seed: number, memorySize: number): Cell => ({
  ...withMemory(plan, seed, { memorySize }),
  run: runConfig(plan, seed, { steps: Math.ceil(plan.steps / 10) }),
  from: { cell: trained(plan, seed, 512) },
  evaluations: evaluations(plan),
})

/** One memory size in training, another in use. */
export const experiment: Experiment = {
  title: 'Trained with 512 tokens of memory, read with more',
  question: 'Does a model that was trained with a small memory make use of a larger one, as it is, or after a tenth of the steps more with it?',
  base: 'XL cache 64',
  arms: (plan) => [
    { name: 'XL cache 64', cells: plan.seeds.map((seed) => withoutMemory(plan, seed)) },
    { name: 'trained with 512', cells: plan.seeds.map((seed) => trained(plan, seed, 512)) },
    { name: 'trained with 512, a tenth more with 512', cells: plan.seeds.map((seed) => tuned(plan, seed, 512)) },
    { name: 'trained with 512, a tenth more with 8192', cells: plan.seeds.map((seed) => tuned(plan, seed, 8192)) },
  ],
  plot: (rows, plan) => ({
    title: `Test bits per byte by the memory that is read with, ${plan.seeds.length} seeds`,
    x: { label: 'tokens of memory in evaluation', scale: 'log' },
    y: { label: 'bits per byte' },
    series: ['trained with 512', 'trained with 512, a tenth more with 512', 'trained with 512, a tenth more with 8192'].map((arm) => ({
      name: arm,
      points: rows.filter((row) => row.arm === arm).map((row) => point(Number(row.evaluation.replace('read with ', '')), row)),
    })),
  }),
}
