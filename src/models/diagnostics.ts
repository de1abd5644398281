import { stopGradient } from '../autodiff/custom.ts'
import type { Tensor } from '../ir/module.ts'
import { mean } from '../lib/mean.ts'
import type { CompressionStep } from '../nn/compressed-memory.ts'
import type { AuxiliaryLoss } from '../nn/compression-loss.ts'
import { agesOfPlaces } from '../nn/memory.ts'
import { stack } from '../ops/concatenate.ts'
import { convert } from '../ops/convert.ts'
import { add, multiply } from '../ops/arithmetic.ts'
import { logistic } from '../ops/elementwise-unary.ts'
import { reduceMax } from '../ops/reduce.ts'
import type { MemoryConfig } from './decoder-config.ts'
import type { LayerParameters } from './decoder-layer.ts'
import type { AuxiliaryOutput, RetrievedPlaces } from './model.ts'

/**
 * How a memory is used, for `m` memory layers: `memoryGate f32[m,h]` (share of the memory in each head), `memoryFill f32[]` (mean share of the
 * ring that was filled before the step), `memoryTopWeight f32[m]` (mean weight of the strongest neighbour; 0 for empty memories).
 */
export function memoryDiagnostics(config: MemoryConfig, layers: readonly LayerParameters[], length: Tensor, weights: readonly Tensor[]): Record<string, Tensor> {
  const gates = layers.flatMap(({ memoryGate }) => (memoryGate ? [logistic(memoryGate)] : []))
  return stopGradient({
    memoryGate: stack(gates, 0),
    memoryFill: multiply(mean(convert(length, 'f32')), 1 / config.memorySize),
    memoryTopWeight: stack(weights.map((each) => mean(reduceMax(each, -1))), 0),
  })
}

/** How full compressed memories are: `compressedFill f32[]` (mean share of the places that were filled before the step). */
export const compressionDiagnostics = ({ compressedLength, sizes }: CompressionStep): Record<string, Tensor> =>
  ({ compressedFill: multiply(mean(convert(compressedLength, 'f32')), 1 / sizes.compressedLength) })

/** The losses that train the compressions of `m` layers, `f32[]` each: their sum, and as its one part all of them, `f32[m]`. */
export const compressionOutput = (kind: AuxiliaryLoss, losses: readonly Tensor[]): AuxiliaryOutput =>
  ({ loss: losses.reduce((sum, loss) => add(sum, loss)), parts: { [kind.replace(/-(.)/, (_, letter: string) => letter.toUpperCase())]: stack(losses, 0) } })

/** What each memory layer retrieved, as ages: the ring's `position i32[]` before the step, of each layer `places i32[b,h,s,k]` and `weights f32[b,h,s,k]`. */
export const retrievedPlaces = (config: MemoryConfig, position: Tensor, places: readonly Tensor[], weights: readonly Tensor[]): RetrievedPlaces[] =>
  config.memoryLayers.map((layer, i) => ({ layer, ages: agesOfPlaces(places[i], position, config.memorySize), weights: stopGradient(weights[i]) }))
