import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { writeNpy } from '../../src/data/npy.ts'
import { HostArray } from '../../src/ir/host-array.ts'
import { engram } from '../support/command.ts'

let cwd: string
beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'engram-devices-'))
  await writeNpy(join(cwd, 'a.npy'), HostArray.from('f32', [1, 2, 3, 4]))
  await writeFile(join(cwd, 'two.mlir'), `module @two {
  sdy.mesh @mesh = <["x"=2]>
  func.func public @main(%a: tensor<4xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"x"}]>}) -> tensor<4xf32> {
    %0 = sdy.manual_computation(%a) in_shardings=[<@mesh, [{"x"}]>] out_shardings=[<@mesh, [{"x"}]>] manual_axes={"x"} (%b: tensor<2xf32>) {
      %1 = stablehlo.partition_id : tensor<ui32>
      %2 = stablehlo.convert %1 : (tensor<ui32>) -> tensor<f32>
      %3 = stablehlo.broadcast_in_dim %2, dims = [] : (tensor<f32>) -> tensor<2xf32>
      %4 = stablehlo.multiply %b, %3 : tensor<2xf32>
      sdy.return %4 : tensor<2xf32>
    } : (tensor<4xf32>) -> tensor<4xf32>
    return %0 : tensor<4xf32>
  }
}
`)
})
afterAll(() => rm(cwd, { recursive: true, force: true }))

it.each(['cpu', 'interpreter'])('engram run runs a program on as many devices as its mesh has: %s', async (backend) => {
  const { status, stdout } = await engram(['run', 'two.mlir', '--inputs', 'a.npy', '--backend', backend, '--json'], { cwd })
  expect({ status, results: JSON.parse(stdout) as unknown }).toEqual({ status: 0, results: { results: [{ type: 'f32[4]', values: [0, 0, 3, 4] }] } })
})
