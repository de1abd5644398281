import { presetOf } from '../../src/models/presets.ts'
import { preset } from '../../src/models/registry.ts'
import { TpuCompiler } from '../../src/runner/tpu-compiler.ts'
import { peerScript } from './child-process.ts'
import { type BenchOptions, type BenchResult, compare } from './result.ts'
import { chip, estimateOnTpu, peerText } from './tpu-figures.ts'
import { initProgram, stateTypes, stepProgram } from './train-program.ts'

export const description = 'estimate of the paper-200m train step on one v5e chip, against plain JAX; compiles for ten minutes (--quick: fewer layers)'

const batch = 8

/** Both sides are compiled by XLA's TPU compiler in this run and estimated in the same way; nothing runs on a TPU. */
export async function bench({ quick, args, log }: BenchOptions): Promise<BenchResult> {
  const fewer = quick ? { layers: 2, memoryLayers: [1] } : {}
  const configured = preset('memorizing-transformer', 'paper-200m', fewer)
  const { layers, memoryLayers } = { ...(presetOf('memorizing-transformer', 'paper-200m') as { layers: number; memoryLayers: number[] }), ...fewer }
  // The peer counts layers from 0, and has all other sizes of the preset by default.
  const peerFlags = ['--layers', `${layers}`, '--mem-layer', `${memoryLayers[0] - 1}`, '--batch', `${batch}`, ...args]
  const compiler = new TpuCompiler({ onLog: log })
  try {
    const ours = await estimateOnTpu(stepProgram(configured, batch, stateTypes(initProgram(configured, batch)), 'tpu'), compiler)
    log(`engram: ${ours.ms.toFixed(1)} ms, peak ${ours.peakMB.toFixed(0)} MB`)
    const theirs = await estimateOnTpu(await peerText(peerScript, peerFlags), compiler)
    return compare({
      name: 'step-tpu',
      unit: 'ms',
      engram: ours.ms,
      peer: theirs.ms,
      details: { estimateFor: chip, layers, batch, peakMB: { engram: ours.peakMB, peer: theirs.peakMB, ratio: ours.peakMB / theirs.peakMB }, engram: ours, peer: theirs },
    })
  } finally {
    await compiler.close()
  }
}
