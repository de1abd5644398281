import type { HostArray } from '../../src/ir/host-array.ts'
import type { Step } from '../support/model-runner.ts'

/**
 * The models written a second time, as plainly as possible: one slot and one token at a time, in double precision, with lists that only
 * grow in place of caches and rings. Nothing here is shared with what is tested.
 */
export interface ReferenceConfig {
  readonly width: number
  readonly heads: number
  readonly headSize: number
  readonly normPlacement: 'pre' | 'post'
  readonly activation: 'relu' | 'gelu'
  readonly positionBuckets: number
  readonly positionDistance: number
  readonly cacheLength: number
  readonly attention: 'scaled' | 'normalized'
  readonly memory?: { readonly memorySize: number; readonly neighbours: number; readonly memoryLayers: readonly number[] }
}

export type Vector = number[]

interface Seen {
  /** Of each layer, token and head. */
  readonly keys: Vector[][]
  readonly values: Vector[][]
}

export const at = (array: HostArray, ...index: number[]): number => Number(array.data[index.reduce((flat, i, axis) => flat * array.shape[axis] + i, 0)])
export const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i)
export const dot = (a: Vector, b: Vector): number => a.reduce((sum, value, i) => sum + value * b[i], 0)
export const times = (x: Vector, matrix: HostArray): Vector => range(matrix.shape[1]).map((j) => x.reduce((sum, value, i) => sum + value * at(matrix, i, j), 0))
export const unit = (x: Vector): Vector => x.map((value) => value / Math.sqrt(dot(x, x) + 1e-6))

export function softmax(scores: number[]): number[] {
  const largest = Math.max(...scores)
  const parts = scores.map((score) => Math.exp(score - largest))
  const sum = parts.reduce((a, b) => a + b, 0)
  return parts.map((part) => part / sum)
}

export const blend = (weights: number[], vectors: Vector[]): Vector => range(vectors[0].length).map((i) => weights.reduce((sum, weight, j) => sum + weight * vectors[j][i], 0))

export function norm(x: Vector, { scale, bias }: { scale: HostArray; bias?: HostArray }): Vector {
  const mean = bias ? x.reduce((a, b) => a + b, 0) / x.length : 0
  const centred = x.map((value) => value - mean)
  const deviation = Math.sqrt(dot(centred, centred) / x.length + 1e-6)
  return centred.map((value, i) => (value / deviation) * at(scale, i) + (bias ? at(bias, i) : 0))
}

export const gelu = (x: number): number => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)))

export function bucket(distance: number, { positionBuckets, positionDistance }: ReferenceConfig): number {
  const half = positionBuckets / 2
  if (distance < half) return distance
  return Math.min(positionBuckets - 1, half + Math.floor((half * Math.log(distance / half)) / Math.log(positionDistance / half)))
}

/** One slot's reader: feeds segments, keeps everything it has read of the present document. */
class Slot {
  readonly #config: ReferenceConfig
  readonly #parameters: any
  /** Per layer, keys and values of all tokens of the document before the present segment. */
  #past: Seen[]

  constructor(config: ReferenceConfig, parameters: any) {
    this.#config = config
    this.#parameters = parameters
    this.#past = parameters.layers.map(() => ({ keys: [], values: [] }))
  }

  read(tokens: readonly number[], start: boolean): Vector[] {
    const { width, normPlacement } = this.#config
    const parameters = this.#parameters
    if (start) this.#past = this.#past.map(() => ({ keys: [], values: [] }))
    let xs = tokens.map((token) => range(width).map((i) => at(parameters.embedding, token, i)))
    parameters.layers.forEach((layer: any, index: number) => {
      const pre = normPlacement === 'pre'
      const attended = this.#attention(layer, index, pre ? xs.map((x) => norm(x, layer.attentionNorm)) : xs)
      xs = xs.map((x, t) => x.map((value, i) => value + attended[t][i])).map((x) => (pre ? x : norm(x, layer.attentionNorm)))
      const fed = xs.map((x) => this.#feedForward(layer.feedForward, pre ? norm(x, layer.feedForwardNorm) : x))
      xs = xs.map((x, t) => x.map((value, i) => value + fed[t][i])).map((x) => (pre ? x : norm(x, layer.feedForwardNorm)))
    })
    return xs.map((x) => {
      const final = parameters.finalNorm ? norm(x, parameters.finalNorm) : x
      if (parameters.head) return times(final, parameters.head)
      return range(parameters.embedding.shape[0]).map((token) => range(width).reduce((sum, i) => sum + final[i] * at(parameters.embedding, token, i), 0) / Math.sqrt(width))
    })
  }

  #feedForward(layer: any, x: Vector): Vector {
    const hidden = times(x, layer.input).map((value, i) => value + at(layer.inputBias, i))
    const active = hidden.map((value) => (this.#config.activation === 'relu' ? Math.max(value, 0) : gelu(value)))
    return times(active, layer.output).map((value, i) => value + at(layer.outputBias, i))
  }

  #attention(layer: any, index: number, xs: Vector[]): Vector[] {
    const config = this.#config
    const { heads, headSize, cacheLength } = config
    const { attention } = layer
    const byHead = (x: Vector, weights: HostArray): Vector[] => {
      const all = times(x, weights)
      return range(heads).map((h) => all.slice(h * headSize, (h + 1) * headSize))
    }
    const length = (x: Vector): Vector => (attention.scale ? unit(x) : x)
    const queries = xs.map((x) => byHead(x, attention.query).map(length))
    const keys = xs.map((x) => byHead(x, attention.key).map(length))
    const values = xs.map((x) => byHead(x, attention.value))
    const past = this.#past[index]
    const cached = cacheLength ? { keys: past.keys.slice(-cacheLength), values: past.values.slice(-cacheLength) } : { keys: [], values: [] }
    const joinedKeys = [...cached.keys, ...keys]
    const joinedValues = [...cached.values, ...values]
    const outs = queries.map((query, t) => {
      const last = cached.keys.length + t
      return range(heads).flatMap((h) => {
        const scale = attention.scale ? at(attention.scale, h) : headSize ** -0.5
        const visible = range(last + 1)
        const scores = visible.map((j) => dot(query[h], joinedKeys[j][h]) * scale + at(layer.positionBias, bucket(last - j, config), h))
        const local = blend(softmax(scores), visible.map((j) => joinedValues[j][h]))
        const remembered = this.#memory(index, query[h], h, scale)
        if (!remembered) return local
        const gate = 1 / (1 + Math.exp(-at(layer.memoryGate, h)))
        return local.map((value, i) => gate * remembered[i] + (1 - gate) * value)
      })
    })
    // Read first, written afterwards.
    this.#past[index] = { keys: [...past.keys, ...keys], values: [...past.values, ...values] }
    return outs.map((out) => times(out, attention.output))
  }

  #memory(index: number, query: Vector, head: number, scale: number): Vector | undefined {
    const { memory } = this.#config
    if (!memory?.memoryLayers.includes(index + 1)) return undefined
    const past = this.#past[index]
    const keys = past.keys.slice(-memory.memorySize).map((key) => key[head])
    const values = past.values.slice(-memory.memorySize).map((value) => value[head])
    if (keys.length === 0) return undefined
    const best = keys.map((key, place) => ({ place, score: dot(query, key) * scale })).sort((a, b) => b.score - a.score).slice(0, memory.neighbours)
    return blend(softmax(best.map(({ score }) => score)), best.map(({ place }) => values[place]))
  }
}

/** Logits of every step, slot and token. */
export function referenceLogits(config: ReferenceConfig, parameters: any, steps: readonly Step[]): Vector[][][] {
  const slots = steps[0].tokens.map(() => new Slot(config, parameters))
  return steps.map(({ tokens, start }) => slots.map((slot, i) => slot.read(tokens[i], start[i])))
}
