import type { Experiment } from './experiment.ts'
import { point } from './experiment.ts'
import { runConfig, size, testEvaluation, withMemory, withoutMemory } from './plan.ts'
import type { Plan } from './plan.ts'
import type { Cell } from './cell.ts'

/** Compressed slots that stand for 512 tokens. */
const [compressionRate, compressedLength] = [4, 128]

const kinds = [
  ['max-pooling', 'none'], ['mean-pooling', 'none'], ['most-used', 'none'], ['convolution', 'auto-encoding'], ['convolution', 'attention-reconstruction'],
  ['dilated-convolution', 'attention-reconstruction'],
] as const

const compressive = (plan: Plan, seed: number, [compression, auxiliaryLoss]: (typeof kinds)[number]): Cell => ({
  model: 'compressive-transformer',
  set: { ...size, compressionRate, compressedLength, compression, auxiliaryLoss },
  run: runConfig(plan, seed),
  evaluations: [testEvaluation(plan)],
})

/** Table 5 of Rae et al. 2020 in small. */
export const experiment: Experiment = {
  title: 'Compressions of the Compressive Transformer',
  question: `Which compression, trained by which loss, keeps most? ${compressedLength} slots at rate ${compressionRate} beside a cache of ${size.cacheLength}; the ablation of Rae et al. 2020 in small.`,
  base: 'XL cache 64',
  arms: (plan) => [
    { name: 'XL cache 64', cells: plan.seeds.map((seed) => withoutMemory(plan, seed)) },
    ...kinds.map((kind) => ({ name: kind[1] === 'none' ? kind[0] : `${kind[0]}, ${kind[1]}`, cells: plan.seeds.map((seed) => compressive(plan, seed, kind)) })),
    { name: 'memory 512', cells: plan.seeds.map((seed) => withMemory(plan, seed, { memorySize: 512 })) },
  ],
  plot: (rows, plan) => ({
    title: `Test bits per byte, ${plan.steps} steps`,
    x: { label: '', scale: 'linear', ticks: rows.map((row, i) => [i, row.arm.replace('-convolution', '').replace(/, (auto|attention)-.*$/, (_, kind) => (kind === 'auto' ? ' ae' : ' ar'))]) },
    y: { label: 'bits per byte' },
    series: [{ name: 'by arm (ae: auto-encoding, ar: attention reconstruction)', points: rows.map((row, i) => point(i, row)) }],
  }),
}
