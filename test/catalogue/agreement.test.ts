import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { isFloat } from '../../src/ir/dtypes.ts'
import { HostArray } from '../../src/ir/host-array.ts'
import type { Tensor } from '../../src/ir/module.ts'
import { type TensorType, tensorType } from '../../src/ir/types.ts'
import { interpretProgram } from '../../src/program/evaluate.ts'
import { lower } from '../../src/program/lower.ts'
import type { Session } from '../../src/program/session.ts'
import { startRunner } from '../../src/program/start.ts'
import { type OpSample, opSamples, sampleInputs } from '../support/op-samples/index.ts'
import { worstError } from '../support/arrays-agree.ts'

let runner: Session
beforeAll(async () => {
  runner = await startRunner()
})
afterAll(() => runner.close())

/** The sample with its f64 inputs in another float type. */
const retype = (sample: OpSample, dtype: 'f32' | 'f64'): TensorType[] =>
  sample.inputs.map((type) => (isFloat(type.dtype) && type.dtype === 'f64' ? tensorType(dtype, type.shape) : type))

async function compareWithXla(sample: OpSample, dtype: 'f32' | 'f64'): Promise<void> {
  const types = retype(sample, dtype)
  const inputs = sampleInputs(sample).map((input, i) =>
    input.dtype === types[i].dtype ? input : HostArray.of(types[i].dtype, input.shape, Array.from(input.data as Float64Array)),
  )
  const build = (...args: Tensor[]): readonly Tensor[] => [sample.build(...args)].flat() as Tensor[]
  const program = lower(build, ...(types as never[]))
  const expected = interpretProgram(program, ...(inputs as never[])) as readonly HostArray[]
  const executable = await runner.compile(program)
  const actual = (await executable.run(...(inputs as never[]))) as readonly HostArray[]
  await executable.release()
  expected.forEach((want, i) => {
    expect(actual[i].type).toEqual(want.type)
    const tolerance = want.dtype === 'f64' ? 1e-12 : 2e-6
    expect(worstError(actual[i], want), `result ${i} of\n${program.text}`).toBeLessThanOrEqual(tolerance)
  })
}

describe('interpreter and XLA on the CPU agree on every op', () => {
  for (const sample of opSamples.filter(({ notOnXla }) => !notOnXla)) {
    it(sample.name, () => compareWithXla(sample, 'f64'))
    if (sample.differentiable && !sample.fixedType) it(`${sample.name} in f32`, () => compareWithXla(sample, 'f32'))
  }
})
