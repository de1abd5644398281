import { once } from 'node:events'
import { performance } from 'node:perf_hooks'
import { createInterface } from 'node:readline'
import { execa } from 'execa'
import { HostArray } from '../../src/ir/host-array.ts'
import { preset } from '../../src/models/registry.ts'
import { startRunner } from '../../src/program/start.ts'
import { findPython } from '../../src/runner/python.ts'
import { peerScript } from './child-process.ts'
import { type BenchOptions, type BenchResult, compare, median } from './result.ts'
import { initProgram, stateTypes, stepProgram } from './train-program.ts'

export const description = 'one train step on the CPU at the small size, against plain JAX, steps interleaved'

const size = { layers: 4, width: 256, heads: 4, headSize: 64, feedForwardSize: 1024, vocabularySize: 512, segmentLength: 128, cacheLength: 128 }
const memory = { memorySize: 2048, neighbours: 16, memoryLayers: [3] }
const batch = 4
/** The same size in the peer's flags; it counts layers from 0. */
const peerFlags = '--layers 4 --d 256 --heads 4 --head-dim 64 --mlp 1024 --vocab 512 --seq 128 --xl 128 --memory 2048 --k 16 --mem-layer 2 --batch 4 --compute f32 --mem-dtype f32'

export async function bench({ quick, args, log }: BenchOptions): Promise<BenchResult> {
  const steps = quick ? 3 : 40
  const peer = await startPeer([...peerFlags.split(' '), ...args])
  const runner = await startRunner()
  try {
    const configured = preset('memorizing-transformer', 'small', { ...size, ...memory })
    const init = initProgram(configured, batch)
    const [initial, step] = await Promise.all([runner.compile(init), runner.compile(stepProgram(configured, batch, stateTypes(init)))])
    let state: unknown = initial.call(HostArray.from('u32', [0, 1]))
    let start = true
    const ours = async (): Promise<number> => {
      const input = randomBatch(start)
      start = false
      const begin = performance.now()
      const result = step.call(state as never, input as never) as { state: { step: { ready(): Promise<void> } }; metrics: { loss: { read(): Promise<HostArray> } } }
      state = result.state
      await Promise.all([result.metrics.loss.read(), result.state.step.ready()])
      return performance.now() - begin
    }
    // Caches and memories fill, and both sides compile, before anything counts.
    for (let i = 0; i < 3; i++) {
      await peer.step()
      await ours()
    }
    const engramMs: number[] = []
    const peerMs: number[] = []
    for (let i = 0; i < steps; i++) {
      engramMs.push(await ours())
      peerMs.push(await peer.step())
      if ((i + 1) % 10 === 0) log(`${i + 1} of ${steps} steps`)
    }
    return compare({
      name: 'cpu-step',
      unit: 'ms',
      engram: median(engramMs),
      peer: median(peerMs),
      details: { steps, fastest: { engram: Math.min(...engramMs), peer: Math.min(...peerMs) }, batch, ...size, ...memory },
    })
  } finally {
    peer.end()
    await runner.close()
  }
}

function randomBatch(start: boolean) {
  const shape = [batch, size.segmentLength]
  const draw = () => Array.from({ length: batch * size.segmentLength }, () => Math.floor(Math.random() * size.vocabularySize))
  return {
    tokens: HostArray.of('i32', shape, draw()),
    targets: HostArray.of('i32', shape, draw()),
    weights: HostArray.of('f32', shape, new Array(batch * size.segmentLength).fill(1)),
    start: HostArray.of('bool', [batch], new Array(batch).fill(start)),
  }
}

/** The peer as a process that does one step per line; its own clock says how long the step took. */
async function startPeer(flags: readonly string[]): Promise<{ step(): Promise<number>; end(): void }> {
  const process = execa(findPython().command, [peerScript, 'serve-cpu', ...flags], { reject: false, buffer: false })
  const lines = createInterface({ input: process.stdout })
  return {
    step: async () => {
      process.stdin.write('\n')
      const [line] = (await once(lines, 'line')) as [string]
      return (JSON.parse(line) as { ms: number }).ms
    },
    end: () => process.stdin.end(),
  }
}
