import type { HostArray } from '../../src/ir/host-array.ts'
import type { Step } from '../support/model-runner.ts'
import { type Vector, at, blend, bucket, dot, gelu, norm, range, softmax, times, unit } from './reference-decoder.ts'

/**
 * The Compressive Transformer written a second time: one slot and one query at a time, in double precision, lists in place of arrays with places
 * that may be empty. Nothing here is shared with what is tested. Parameters may change from one step to the next, for differences.
 */
export interface CompressiveReference {
  readonly width: number
  readonly heads: number
  readonly headSize: number
  readonly normPlacement: 'pre' | 'post'
  readonly activation: 'relu' | 'gelu'
  readonly positionBuckets: number
  readonly positionDistance: number
  readonly positions: 't5' | 'relative'
  readonly cacheLength: number
  readonly compressedLength: number
  readonly compressionRate: number
  readonly compression: 'max-pooling' | 'mean-pooling' | 'convolution' | 'dilated-convolution' | 'most-used'
  readonly auxiliaryLoss: 'none' | 'auto-encoding' | 'attention-reconstruction'
}

/** A vector that a layer's attention read, and the attention that it got: summed over queries, averaged over heads, and how many queries. */
interface Memory {
  readonly vector: Vector
  readonly attention: number
  readonly queries: number
}

interface Memories {
  readonly recent: readonly Memory[]
  readonly compressed: readonly Vector[]
}

/** A sum of squares, and of how many. */
interface Squares {
  readonly sum: number
  readonly count: number
}

export interface SlotReading {
  readonly logits: Vector[]
  /** Of each layer. */
  readonly squares: readonly Squares[]
  readonly memories: readonly Memories[]
}

const plus = (a: Vector, b: Vector): Vector => a.map((value, i) => value + b[i])
const vectorOf = (array: HostArray, ...index: number[]): Vector => range(array.shape.at(-1)!).map((i) => at(array, ...index, i))
const emptyMemories: Memories = { recent: [], compressed: [] }

export class CompressiveReader {
  readonly #config: CompressiveReference
  constructor(config: CompressiveReference) {
    this.#config = config
  }

  /** One segment of one slot; `before` are the memories of each layer, absent for none. */
  read(parameters: any, before: readonly Memories[] | undefined, tokens: readonly number[]): SlotReading {
    const { normPlacement, width } = this.#config
    const pre = normPlacement === 'pre'
    const memories: Memories[] = []
    const squares: Squares[] = []
    let xs = tokens.map((token) => vectorOf(parameters.embedding, token))
    parameters.layers.forEach((layer: any, index: number) => {
      const read = pre ? xs.map((x) => norm(x, layer.attentionNorm)) : xs
      const { outs, next, lost } = this.#layer(parameters, layer, before?.[index] ?? emptyMemories, read)
      memories.push(next)
      squares.push(lost)
      xs = xs.map((x, t) => plus(x, outs[t])).map((x) => (pre ? x : norm(x, layer.attentionNorm)))
      const fed = xs.map((x) => this.#feedForward(layer.feedForward, pre ? norm(x, layer.feedForwardNorm) : x))
      xs = xs.map((x, t) => plus(x, fed[t])).map((x) => (pre ? x : norm(x, layer.feedForwardNorm)))
    })
    const logits = xs.map((x) => {
      const final = parameters.finalNorm ? norm(x, parameters.finalNorm) : x
      return range(parameters.embedding.shape[0]).map((token) => dot(final, vectorOf(parameters.embedding, token)) / Math.sqrt(width))
    })
    return { logits, squares, memories }
  }

  #feedForward(layer: any, x: Vector): Vector {
    const hidden = plus(times(x, layer.input), vectorOf(layer.inputBias))
    return plus(times(hidden.map((value) => (this.#config.activation === 'relu' ? Math.max(value, 0) : gelu(value))), layer.output), vectorOf(layer.outputBias))
  }

  #heads(x: Vector, weights: HostArray): Vector[] {
    const { heads, headSize } = this.#config
    const all = times(x, weights)
    return range(heads).map((h) => all.slice(h * headSize, (h + 1) * headSize))
  }

  #keysOf(attention: any, vectors: readonly Vector[]): Vector[][] {
    return vectors.map((x) => this.#heads(x, attention.key)).map((heads) => (attention.scale ? heads.map(unit) : heads))
  }

  #queriesOf(attention: any, vectors: readonly Vector[]): Vector[][] {
    return vectors.map((x) => this.#heads(x, attention.query)).map((heads) => (attention.scale ? heads.map(unit) : heads))
  }

  #layer(parameters: any, layer: any, { recent, compressed }: Memories, xs: Vector[]): { outs: Vector[]; next: Memories; lost: Squares } {
    const { heads, headSize, cacheLength, compressedLength, compressionRate } = this.#config
    const { attention } = layer
    const cache = recent.slice(-cacheLength)
    const known = [...compressed, ...cache.map(({ vector }) => vector)]
    const vectors = [...known, ...xs]
    const keys = this.#keysOf(attention, vectors)
    const values = vectors.map((x) => this.#heads(x, attention.value))
    const got = vectors.map(() => 0)
    const outs = this.#queriesOf(attention, xs).map((query, t) => {
      const last = known.length + t
      const visible = range(last + 1)
      const out = range(heads).flatMap((h) => {
        const scale = attention.scale ? at(attention.scale, h) : headSize ** -0.5
        const weights = softmax(visible.map((j) => this.#score(parameters, layer, query[h], keys[j][h], h, last - j, scale)))
        weights.forEach((weight, j) => (got[j] += weight / heads))
        return blend(weights, visible.map((j) => values[j][h]))
      })
      return times(out, attention.output)
    })
    // Those that wait beside the cache got nothing, and no query could see them.
    const waiting = recent.slice(0, recent.length - cache.length)
    const seen = cache.map(({ vector, attention: sum, queries }, j) => ({ vector, attention: sum + got[compressed.length + j], queries: queries + xs.length }))
    const own = xs.map((vector, t) => ({ vector, attention: got[known.length + t], queries: xs.length - t }))
    const all = [...waiting, ...seen, ...own]
    const blocks = Math.max(0, Math.floor((all.length - cacheLength) / compressionRate))
    const old = all.slice(0, blocks * compressionRate)
    const fresh = this.#compress(layer.compression, old)
    return {
      outs,
      next: { recent: all.slice(old.length), compressed: [...compressed, ...fresh].slice(-compressedLength) },
      lost: this.#lost(layer, xs, old.map(({ vector }) => vector), fresh),
    }
  }

  #score(parameters: any, layer: any, query: Vector, key: Vector, head: number, distance: number, scale: number): number {
    const { positions, width } = this.#config
    if (positions === 't5') return dot(query, key) * scale + at(layer.positionBias, bucket(distance, { ...this.#config, attention: 'scaled' }), head)
    const biases = parameters.queryBiases ?? layer.queryBiases
    const angles = range(width / 2).map((m) => distance / 10000 ** ((2 * m) / width))
    const projected = this.#heads([...angles.map(Math.sin), ...angles.map(Math.cos)], layer.positionKey)[head]
    const position = layer.attention.scale ? unit(projected) : projected
    return scale * (dot(plus(query, vectorOf(biases.content, head)), key) + dot(plus(query, vectorOf(biases.position, head)), position))
  }

  #compress(parameters: any, old: readonly Memory[]): Vector[] {
    const { compression, compressionRate: rate, width } = this.#config
    const vectors = old.map(({ vector }) => vector)
    const blocks = range(old.length / rate).map((block) => range(rate).map((i) => block * rate + i))
    const pooled = (pool: (numbers: number[]) => number): Vector[] => blocks.map((places) => range(width).map((d) => pool(places.map((j) => vectors[j][d]))))
    switch (compression) {
      case 'max-pooling':
        return pooled((numbers) => Math.max(...numbers))
      case 'mean-pooling':
        return pooled((numbers) => numbers.reduce((a, b) => a + b) / rate)
      case 'convolution':
        return blocks.map((places) => convolved(parameters.compress, places.map((j) => vectors[j])))
      case 'dilated-convolution': {
        const nothing = range(width).map(() => 0)
        const around = [1, 2].reduce((xs, spacing, i) => xs.map((x, j) => {
          const places = [j - spacing, j, j + spacing].map((place) => xs[place] ?? nothing)
          return plus(x, convolved(parameters.context[i], places).map((value) => Math.max(value, 0)))
        }), vectors)
        return blocks.map((places) => convolved(parameters.compress, places.map((j) => around[j])))
      }
      case 'most-used': {
        const average = old.map(({ attention, queries }) => attention / queries)
        const best = range(old.length).sort((a, b) => average[b] - average[a] || a - b).slice(0, blocks.length)
        return best.sort((a, b) => a - b).map((place) => vectors[place])
      }
    }
  }

  /** What was lost by compressing, as the auxiliary loss has it. */
  #lost({ attention, compression }: any, xs: Vector[], old: Vector[], fresh: Vector[]): Squares {
    const { auxiliaryLoss, compressionRate: rate, heads, headSize } = this.#config
    const squared = (a: number[], b: number[]): Squares => ({ sum: a.reduce((sum, value, i) => sum + (value - b[i]) ** 2, 0), count: a.length })
    if (auxiliaryLoss === 'none' || old.length === 0) return { sum: 0, count: 0 }
    if (auxiliaryLoss === 'auto-encoding') {
      const { kernel, bias } = compression.restore
      const back = fresh.flatMap((x) => range(rate).map((i) => range(x.length).map((e) => x.reduce((sum, value, d) => sum + value * at(kernel, i, d, e), at(bias, e)))))
      return squared(old.flat(), back.flat())
    }
    const attended = (vectors: Vector[]): number[] => {
      const keys = this.#keysOf(attention, vectors)
      const values = vectors.map((x) => this.#heads(x, attention.value))
      return this.#queriesOf(attention, xs).flatMap((query) => range(heads).flatMap((h) => {
        const scale = attention.scale ? at(attention.scale, h) : headSize ** -0.5
        return blend(softmax(keys.map((key) => dot(query[h], key[h]) * scale)), values.map((value) => value[h]))
      }))
    }
    return squared(attended(old), attended(fresh))
  }
}

/** `b + sum of x_i K_i`. */
const convolved = ({ kernel, bias }: { kernel: HostArray; bias: HostArray }, xs: readonly Vector[]): Vector =>
  range(bias.shape[0]).map((e) => xs.reduce((sum, x, i) => x.reduce((inner, value, d) => inner + value * at(kernel, i, d, e), sum), at(bias, e)))

export interface CompressiveReading {
  /** Of each slot and token. */
  readonly logits: Vector[][]
  /** Mean of the squares that were lost, summed over the layers. */
  readonly auxiliary: number
  /** Of each slot. */
  readonly memories: readonly (readonly Memories[])[]
}

/** One step of all slots; `before` are the memories of each, absent before the first step. */
export function readCompressive(config: CompressiveReference, parameters: any, before: CompressiveReading['memories'] | undefined, { tokens, start }: Step): CompressiveReading {
  const reader = new CompressiveReader(config)
  const slots = tokens.map((row, slot) => reader.read(parameters, start[slot] ? undefined : before?.[slot], row))
  const perLayer = parameters.layers.map((_: unknown, index: number) => {
    const [sum, count] = (['sum', 'count'] as const).map((key) => slots.reduce((total, { squares }) => total + squares[index][key], 0))
    return count > 0 ? sum / count : 0
  })
  return { logits: slots.map(({ logits }) => logits), auxiliary: perLayer.reduce((a: number, b: number) => a + b, 0), memories: slots.map(({ memories }) => memories) }
}
