import type { CellEvaluation } from './cell.ts'
import type { Experiment } from './experiment.ts'
import { point } from './experiment.ts'
import { type Plan, memory, size, testEvaluation, withMemory } from './plan.ts'

const neighbours = [8, 32, 128]
/** Layers with a memory, and what to call them. */
const layers = [
  { name: 'memory in layer 1', memoryLayers: [1] },
  { name: 'memory in both layers', memoryLayers: [1, 2] },
]
const recallTargets = [0.8, 0.9, 0.95]
/** The best of each bin: of the ways that a CPU has too, the one that loses most for a target, and the one that a TPU takes for few neighbours. */
const searchLowering = 'packed'
const memorySize = 4096

const armOf = (k: number): string => `${k} neighbours`
const searchOf = (recallTarget: number): string => `search of recall ${recallTarget}`

/** Reads with searches that miss neighbours, beside the exact one that every arm was trained with. */
const approximate = (plan: Plan): CellEvaluation[] =>
  recallTargets.map((recallTarget) => testEvaluation(plan, searchOf(recallTarget), { search: 'approximate', recallTarget, searchLowering }))

/** What section 4 of Wu et al. 2022 chooses without a table: the search, the number of neighbours and the layer. */
export const experiment: Experiment = {
  title: 'Search, neighbours and layer of the memory',
  question:
    'What does a search lose that misses neighbours, how many neighbours does a query need, and which layer should have the memory? ' +
    `A memory of ${memorySize} tokens, trained with the exact search; the models with the memory in layer ${memory.memoryLayers} are read with approximate searches (${searchLowering}) too. ` +
    'Bins are at least 128 and a power of two, so a search finds more than its target, and two targets may have the same bins.',
  base: armOf(memory.neighbours),
  arms: (plan) => [
    ...neighbours.map((k) => ({
      name: armOf(k),
      cells: plan.seeds.map((seed) => {
        const cell = withMemory(plan, seed, { memorySize, neighbours: k })
        return { ...cell, evaluations: [...cell.evaluations, ...approximate(plan)] }
      }),
    })),
    ...layers.map(({ name, memoryLayers }) => ({ name, cells: plan.seeds.map((seed) => withMemory(plan, seed, { memorySize, memoryLayers })) })),
  ],
  plot: (rows, plan) => {
    const ofNeighbours = (evaluation: string) => neighbours.map((k) => point(k, rows.find((row) => row.arm === armOf(k) && row.evaluation === evaluation)!))
    const ofLayer = (arm: string) => ({ name: `${arm}, ${memory.neighbours} neighbours`, level: true, points: rows.filter((row) => row.arm === arm).map((row) => point(memory.neighbours, row)) })
    return {
      title: `Test bits per byte, ${plan.steps} steps, ${plan.seeds.length} seeds, ${size.layers} layers`,
      x: { label: 'neighbours of each query', scale: 'log' },
      y: { label: 'bits per byte' },
      series: [
        { name: 'exact search', points: ofNeighbours('test') },
        ...recallTargets.map((recallTarget) => ({ name: searchOf(recallTarget), points: ofNeighbours(searchOf(recallTarget)) })),
        ...layers.map(({ name }) => ofLayer(name)),
      ],
    }
  },
}
