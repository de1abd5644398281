import 'engram/vitest'
import { expect, test } from 'vitest'
import { valueAndGradWithAux } from '../../src/autodiff/grad.ts'
import { HostArray } from '../../src/ir/host-array.ts'
import type { Tensor } from '../../src/ir/module.ts'
import { mean } from '../../src/lib/mean.ts'
import { add, multiply } from '../../src/ops/arithmetic.ts'
import { lowerWith } from '../../src/program/lower.ts'
import { ModelRunner, randomSteps, typesOf } from '../support/model-runner.ts'

/** In the middle of documents, where memories are full: logits, next memories, losses and gradients are the same in XLA and in the interpreter. */

const tiny = {
  model: 'compressive-transformer', vocabularySize: 11, segmentLength: 4, width: 8, layers: 1, heads: 2, feedForwardSize: 8,
  cacheLength: 5, compressedLength: 4, compressionRate: 3,
}

test.each([
  ['convolution', 'attention-reconstruction'],
  ['dilated-convolution', 'auto-encoding'],
  ['most-used', 'attention-reconstruction'],
])('%s with %s gives the same in XLA and in the interpreter', async (compression, auxiliaryLoss) => {
  const runner = new ModelRunner({ ...tiny, compression, auxiliaryLoss }, 2)
  const steps = randomSteps(2, [4, 4, 4, 4, 4, 4], 11, 9, 100)
  const { state } = runner.runAll(steps.slice(0, 5)).at(-1)!
  const input = { tokens: HostArray.from('i32', steps[5].tokens), start: HostArray.from('bool', [false, false]) }
  const step = valueAndGradWithAux((parameters: unknown, before: unknown, given: { tokens: Tensor; start: Tensor }) => {
    const { logits, state: after, auxiliary } = runner.configured.model.apply(runner.config, parameters, before, given)
    return [add(mean(multiply(logits, logits)), auxiliary!.loss), { logits, after, auxiliary }] as const
  })
  const program = lowerWith({ name: 'step' }, step as never, typesOf(runner.parameters), typesOf(state), typesOf(input))
  await expect(program).toAgree({ inputs: [runner.parameters, state, input] })
})
