import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { HostArray } from '../../src/ir/host-array.ts'
import type { Tensor } from '../../src/ir/module.ts'
import { tensorType } from '../../src/ir/types.ts'
import { add, multiply } from '../../src/ops/arithmetic.ts'
import { allReduce } from '../../src/ops/collective-reductions.ts'
import { newChannel, partitionId } from '../../src/ops/collectives.ts'
import { broadcastInDim } from '../../src/ops/broadcast.ts'
import { convert } from '../../src/ops/convert.ts'
import { matmul } from '../../src/ops/dot-general.ts'
import { manualComputation } from '../../src/ops/manual-computation.ts'
import { mesh } from '../../src/ops/mesh.ts'
import { shard } from '../../src/ops/sharding.ts'
import { interpretProgram } from '../../src/program/evaluate.ts'
import { lower, lowerWith } from '../../src/program/lower.ts'
import type { Session } from '../../src/program/session.ts'
import { startRunner } from '../../src/program/start.ts'

let runner: Session
beforeAll(async () => {
  runner = await startRunner({ devices: 4 })
})
afterAll(() => runner.close())

const grid = mesh({ data: 2, model: 2 })
const [rows, columns] = [HostArray.of('f32', [4, 6], Array.from({ length: 24 }, (_, i) => i - 9)), HostArray.of('f32', [6, 2], Array.from({ length: 12 }, (_, i) => i % 5))]

/** A product split along both axes of the mesh: which device has what, XLA's partitioner works out. */
const product = lowerWith({ name: 'product', mesh: grid }, (x: Tensor, y: Tensor) => shard(matmul(shard(x, 'data', 'model'), shard(y, 'model', null)), 'data', null), rows.type, columns.type)

/** Every device's number in its own corner, and a sum over one axis. */
const numbers = lowerWith({ name: 'numbers' }, (x: Tensor) => {
  const [own, sum] = manualComputation({ mesh: grid, in: [['data', 'model']], out: [['data', 'model'], ['data']] }, [x], (part) => {
    const device = broadcastInDim(convert(partitionId(), 'f32'), part.shape, [])
    return [add(part, device), allReduce(part, add, grid.groups('model'), { channel: newChannel(), globalIds: true })]
  })
  return { own, sum }
}, tensorType('f32', [4, 6]))

describe('programs for several devices', () => {
  it('give whole results, as on one device', async () => {
    const executable = await runner.compile(product)
    const expected = interpretProgram(product, rows, columns)
    expect(await executable.run(rows, columns)).toEqual(expected)
    expect(expected).toEqual(interpretProgram(lower((x: Tensor, y: Tensor) => matmul(x, y), rows.type, columns.type), rows, columns))
  })

  it('put results together from the parts of the devices', async () => {
    const found = await (await runner.compile(numbers)).run(rows)
    expect(found).toEqual(interpretProgram(numbers, rows))
    expect(found.own.toNested()).toEqual(Array.from({ length: 4 }, (_, i) => Array.from({ length: 6 }, (_, j) => i * 6 + j - 9 + (i < 2 ? 0 : 2) + (j < 3 ? 0 : 1))))
  })

  it('pass buffers on, between each other and to programs for one device', async () => {
    const spread = await runner.compile(numbers)
    const single = await runner.compile(lower((x: Tensor) => multiply(x, x), rows.type))
    const once = spread.call(runner.put(rows))
    const twice = spread.call(once.own)
    const squares = single.call(twice.own)
    const expected = interpretProgram(lower((x: Tensor) => multiply(x, x), rows.type), interpretProgram(numbers, interpretProgram(numbers, rows).own).own)
    expect(await runner.get(squares)).toEqual(expected)
    expect(await runner.get(spread.call(squares).sum)).toEqual(interpretProgram(numbers, expected).sum)
  })

  it('reuse donated buffers, which are gone then', async () => {
    const donating = lowerWith({ name: 'donating', mesh: grid, donate: [0] }, (x: Tensor) => add(shard(x, 'data'), x), rows.type)
    const executable = await runner.compile(donating)
    const buffer = runner.put(rows)
    expect(await runner.get(executable.call(buffer))).toEqual(interpretProgram(donating, rows))
    await expect(buffer.read()).rejects.toThrow('was donated to donating')
  })
})
