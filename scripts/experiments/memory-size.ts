import type { Experiment, Row } from './experiment.ts'
import { point } from './experiment.ts'
import { maxDocumentTokens, runConfig, size, testEvaluation, withMemory, withoutMemory } from './plan.ts'

/** Sizes trained with. In training no document is longer than the last, so a larger memory would be the same model. */
const trained = [512, 2048, maxDocumentTokens]
/** Sizes that the model trained with the last is read with beside it. */
const larger = [8192, 32768]

const sizeOf = ({ arm, evaluation }: Row): number => Number((evaluation === 'test' ? arm : evaluation).replace(/\D+/, ''))

/** Table 4 of Wu et al. 2022 in small. */
export const experiment: Experiment = {
  title: 'Bits per byte against the size of the memory',
  question:
    'What is a memory worth at equal training tokens, and does more of it help? Table 4 of Wu et al. 2022 in small. ' +
    `Documents are cut at ${maxDocumentTokens} tokens in training, so the model with a memory of ${maxDocumentTokens} is the one with any larger memory, too; the test documents are longer.`,
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
    ...trained.map((memorySize) => ({
      name: `memory ${memorySize}`,
      cells: plan.seeds.map((seed) => {
        const cell = withMemory(plan, seed, { memorySize })
        return memorySize < maxDocumentTokens ? cell : { ...cell, evaluations: [...cell.evaluations, ...larger.map((n) => testEvaluation(plan, `read with ${n}`, { memorySize: n }))] }
      }),
    })),
  ],
  plot: (rows, plan) => ({
    title: `Test bits per byte, ${plan.steps} steps, ${plan.seeds.length} seeds`,
    x: { label: 'tokens of memory', scale: 'log' },
    y: { label: 'bits per byte' },
    series: [
      { name: 'memory, and cache of 64', points: rows.filter(({ arm }) => arm.startsWith('memory')).map((row) => point(sizeOf(row), row)) },
      { name: 'cache of 64 alone', level: true, points: rows.filter(({ arm }) => arm === 'XL cache 64').map((row) => point(trained[0], row)) },
    ],
  }),
}
