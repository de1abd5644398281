import { describe, expect, it } from 'vitest'
import { partitionsOf } from '../../src/runner/partitions.ts'
import { parseTopology, tpuGenerations } from '../../src/runner/topology.ts'
import { targetTopology, traceTarget } from '../../src/program/compile-for.ts'
import { messageOf } from '../support/message-of.ts'

describe('parseTopology', () => {
  it('knows chips, devices and what each device has', () => {
    expect(parseTopology('v5e:2x4')).toMatchObject({
      name: 'v5e:2x4', chips: 8, devices: 8, chipsPerHost: undefined, device: { hbmBytes: 16 * 2 ** 30, hbmBytesPerSecond: 819e9, peakFlops: 197e12, clockHz: 1.5e9 },
    })
    // Two devices share a chip.
    expect(parseTopology('v4:2x2x2')).toMatchObject({ chips: 8, devices: 16, device: { hbmBytes: 16 * 2 ** 30, hbmBytesPerSecond: 614e9, peakFlops: 137.5e12 } })
    expect(parseTopology('tpu7x:2x2x1')).toMatchObject({ chips: 4, devices: 8, device: { hbmBytes: 96 * 2 ** 30 } })
  })

  it('takes a single chip, which libtpu needs to be told apart', () => {
    expect(parseTopology('v6e:1x1')).toMatchObject({ chips: 1, devices: 1, chipsPerHost: [1, 1, 1] })
    expect(parseTopology('v4:1x1x1')).toMatchObject({ chips: 1, devices: 2, chipsPerHost: [1, 1, 1] })
  })

  it('forgives capitals and a missing third axis', () => {
    expect(parseTopology(' V5P:2x2 ').name).toBe('v5p:2x2x1')
    expect(parseTopology('v4:1x1').name).toBe('v4:1x1x1')
  })

  it('says the right names', () => {
    expect(['v5lite:2x2', 'v7x:2x2x1', 'v6:9x9', 'v9:2x2', 'v5e:3x3', 'v5e', 'v5e:2x2:2', 'constructor:2x2', ''].map((name) => messageOf(() => parseTopology(name)))).toMatchInlineSnapshot(`
      [
        "there is no TPU topology "v5lite:2x2": the name is v5e: v5e:2x2",
        "there is no TPU topology "v7x:2x2x1": the name is tpu7x: tpu7x:2x2x1",
        "there is no TPU topology "v6:9x9": the name is v6e: v6e:2x2",
        "there is no TPU topology "v9:2x2": expected one of v2:2x2, v3:2x2, v4:2x2x1, v5e:2x2, v5p:2x2x1, v6e:2x2, tpu7x:2x2x1",
        "there is no TPU topology "v5e:3x3": v5e comes as v5e:1x1, v5e:2x2, v5e:2x4, v5e:4x4, v5e:4x8, v5e:8x8, v5e:8x16, v5e:16x16",
        "there is no TPU topology "v5e": v5e comes as v5e:1x1, v5e:2x2, v5e:2x4, v5e:4x4, v5e:4x8, v5e:8x8, v5e:8x16, v5e:16x16",
        "there is no TPU topology "v5e:2x2:2": v5e comes as v5e:1x1, v5e:2x2, v5e:2x4, v5e:4x4, v5e:4x8, v5e:8x8, v5e:8x16, v5e:16x16",
        "there is no TPU topology "constructor:2x2": expected one of v2:2x2, v3:2x2, v4:2x2x1, v5e:2x2, v5p:2x2x1, v6e:2x2, tpu7x:2x2x1",
        "there is no TPU topology "": expected one of v2:2x2, v3:2x2, v4:2x2x1, v5e:2x2, v5p:2x2x1, v6e:2x2, tpu7x:2x2x1",
      ]
    `)
  })

  it('has speeds that fit a whole number of matrix units', () => {
    for (const { name, peakFlops, clockHz, devicesPerChip } of Object.values(tpuGenerations)) {
      const side = name === 'v6e' || name === 'tpu7x' ? 256 : 128
      const cores = devicesPerChip === 2 || name === 'v5p' ? 2 : 1
      const units = peakFlops / (2 * side ** 2 * clockHz * cores)
      expect(Math.abs(units - Math.round(units)), name).toBeLessThan(0.04)
      expect([1, 2, 4]).toContain(Math.round(units))
    }
  })
})

describe('targets', () => {
  it('are cpu and tpu with a topology', () => {
    expect(targetTopology('cpu')).toBeUndefined()
    expect(targetTopology('tpu:v5e:2x2')?.name).toBe('v5e:2x2')
    expect([traceTarget('cpu'), traceTarget('tpu:v6e:1x1')]).toEqual(['cpu', 'tpu'])
    expect(['tpu', 'gpu', 'tpu:v5e'].map((name) => messageOf(() => targetTopology(name)))).toMatchInlineSnapshot(`
      [
        "there is no target "tpu": expected cpu, or tpu: and a topology, such as tpu:v5e:2x2",
        "there is no target "gpu": expected cpu, or tpu: and a topology, such as tpu:v5e:2x2",
        "there is no TPU topology "v5e": v5e comes as v5e:1x1, v5e:2x2, v5e:2x4, v5e:4x4, v5e:4x8, v5e:8x8, v5e:8x16, v5e:16x16",
      ]
    `)
  })
})

describe('partitionsOf', () => {
  it('reads what the module says, then its meshes', () => {
    expect(partitionsOf('module @m attributes {mhlo.num_partitions = 4 : i32, mhlo.num_replicas = 1 : i32} {}')).toBe(4)
    expect(partitionsOf('sdy.mesh @mesh = <["x"=2, "y"=4]>')).toBe(8)
    expect(partitionsOf('sdy.mesh @a = <["x"=2]>\nsdy.mesh @empty = <[]>\nsdy.mesh @b = <["data"=4], device_ids=[3, 2, 1, 0]>')).toBe(4)
    expect(partitionsOf('module {}')).toBe(1)
  })
})
