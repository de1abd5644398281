import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { HostArray } from '../../src/ir/host-array.ts'
import type { Tensor } from '../../src/ir/module.ts'
import { tensorType } from '../../src/ir/types.ts'
import { add, multiply } from '../../src/ops/arithmetic.ts'
import { lower, lowerWith } from '../../src/program/lower.ts'
import type { Session } from '../../src/program/session.ts'
import { type BackendName, startSession } from '../../src/program/start.ts'

const pair = tensorType('f32', [2])
const x = HostArray.from('f32', [1, 2])
const y = HostArray.from('f32', [10, 20])

describe.each(['interpreter', 'cpu'] as BackendName[])('a session on %s', (backend) => {
  let session: Session
  beforeAll(async () => {
    session = await startSession(backend)
  })
  afterAll(() => session.close())

  it('runs trees in and out, keys in any order', async () => {
    const program = lower(({ a, b }: { a: Tensor; b: Tensor[] }) => ({ sum: add(a, b[0]), parts: [multiply(a, b[0]), null] }), { a: pair, b: [pair] })
    const executable = await session.compile(program)
    const result = await executable.run({ b: [y], a: x })
    expect(result.sum.toNested()).toEqual([11, 22])
    expect((result.parts[0] as HostArray).toNested()).toEqual([10, 40])
    expect(result.parts[1]).toBeNull()
  })
  it('keeps results on the device from call to call', async () => {
    const step = await session.compile(lowerWith({ donate: [0] }, (state: { n: Tensor }, by: Tensor) => ({ n: add(state.n, by) }), { n: pair }, pair))
    let state = session.put({ n: x }) as any
    for (let i = 0; i < 5; i++) state = step.call(state, y)
    expect((await session.get(state as { n: never }) as any).n.toNested()).toEqual([51, 102])
  })
  it('refuses arguments of another structure, naming the path', async () => {
    const executable = await session.compile(lower(({ a, b }: { a: Tensor; b: Tensor[] }) => add(a, b[0]), { a: pair, b: [pair] }))
    await expect(async () => executable.run({ a: x, b: [] } as never)).rejects.toThrow('[0].b is an array of 0, expected an array of 1')
    await expect(async () => executable.run({ a: x, b: [y], c: x } as never)).rejects.toThrow('unknown key [0].c, expected a, b')
    await expect(async () => executable.run({ a: [1, 2], b: [y] } as never)).rejects.toThrow('[0].a is an array of 2, expected an array')
  })
  it('refuses arrays of another type', async () => {
    const executable = await session.compile(lower((a: Tensor) => add(a, 1), pair))
    await expect(async () => executable.run(HostArray.from('f32', [1, 2, 3]))).rejects.toThrow(/f32\[2\].*f32\[3\]/)
  })
})
