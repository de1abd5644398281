import { describe, it } from 'vitest'
import { opSamples, sampleInputs } from '../support/op-samples/index.ts'
import { checkGradient } from '../support/gradient-check.ts'

describe('the gradient of every differentiable op agrees with central differences in f64', () => {
  for (const sample of opSamples.filter(({ differentiable }) => differentiable !== false))
    it(sample.name, () => {
      const wrt = Array.isArray(sample.differentiable) ? (sample.differentiable as number[]) : undefined
      for (const seed of [1, 2, 3]) checkGradient({ build: sample.build, inputs: sampleInputs(sample, seed), wrt })
    })
})
