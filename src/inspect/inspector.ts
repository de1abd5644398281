/**
 * The inspect room: what a trained model with memory does on a document. `inspector` reads documents and tells, segment by segment, the loss
 * of every token with and without the memory and the places that were retrieved; `inspected-document` gathers that for one document,
 * `definitions` and `references` count how often the use of a name retrieves its definition, and `page` makes an HTML page of it.
 */
import { type Batch, type SegmentSource, type TokenUnits, createEvaluationStream } from '../data/packing.ts'
import type { TokenDocument } from '../data/token-documents.ts'
import type { DeviceBuffer } from '../ir/backend.ts'
import type { HostArray } from '../ir/host-array.ts'
import { type Executable, type Session, isDeviceBuffer } from '../program/session.ts'
import { flatten, unflatten } from '../trace/tree.ts'
import { turn } from '../train/evaluator.ts'
import type { TrainedModel } from '../train/programs.ts'
import { type InspectedMemory, inspectionInitProgram, inspectionProgram, memoryOf } from './inspection-step.ts'
import type { InspectedSegment, LayerRetrieval } from './segment.ts'

export interface InspectorOptions {
  /** Documents that are read side by side. */
  readonly slots?: number
}

/** The results of a step on the host. */
interface StepResults {
  readonly loss: HostArray
  readonly lossWithout?: HostArray
  readonly gates?: HostArray
  readonly retrieved: readonly { readonly ages: HostArray; readonly weights: HostArray }[]
}

/** Steps that may be under way before the oldest is waited for. */
const stepsAhead = 2

/** Reads documents with a model state of its own. */
export class Inspector {
  /** The memory to look into; absent for a model without one. */
  readonly memory: InspectedMemory | undefined
  readonly #trained: TrainedModel
  readonly #slots: number
  readonly #init: Executable<any, any>
  readonly #step: Executable<any, any>
  #gates: Float32Array[] = []

  private constructor(trained: TrainedModel, slots: number, init: Executable<any, any>, step: Executable<any, any>) {
    this.memory = memoryOf(trained.model, trained.config)
    this.#trained = trained
    this.#slots = slots
    this.#init = init
    this.#step = step
  }

  /** Compiles the programs. `parameters` are the parameters' types. */
  static async create(session: Session, trained: TrainedModel, parameters: unknown, { slots = 1 }: InspectorOptions = {}): Promise<Inspector> {
    const init = session.lower(() => inspectionInitProgram(trained, slots))
    const step = session.lower(() => inspectionProgram(trained, slots, parameters, unflatten(init.outputStructure, init.outputs)))
    const [compiledInit, compiledStep] = await Promise.all([session.compile(init), session.compile(step)])
    return new Inspector(trained, slots, compiledInit, compiledStep)
  }

  /** Of each memory layer the gates of its heads, once a segment was read: the share of the memory in what the head gives. */
  get gates(): readonly Float32Array[] {
    return this.#gates
  }

  /**
   * Reads each document from its start to its end and gives its segments in order (those of other documents between them where several are read
   * side by side). The parameters stay the caller's. Throws `DataError` `CORPUS_TOO_SHORT` if no document has two tokens.
   */
  async *segments(parameters: unknown, documents: readonly TokenDocument[], tokenizer: TokenUnits): AsyncGenerator<InspectedSegment, void, void> {
    const stream = createEvaluationStream(
      documents.map((document, i): TokenDocument => ({ name: String(i), tokenCount: document.tokenCount, read: (from, to) => document.read(from, to) })),
      { slots: this.#slots, segment: this.#trained.config.segmentLength, tokenizer, shuffle: false },
    )
    const waiting: Promise<InspectedSegment[]>[] = []
    let state: unknown = this.#init.call()
    try {
      for (const batch of stream) {
        const { tokens, targets, start } = batch
        const { state: next, ...results } = this.#step.call(parameters, state, { tokens, targets, start }) as { state: unknown }
        state = next
        const read = this.#read(results, batch)
        // A failure is met where the promise is awaited; until then it must not count as unhandled.
        read.catch(() => {})
        waiting.push(read)
        if (waiting.length > stepsAhead) yield* await waiting.shift()!
        await turn()
      }
      for (const read of waiting) yield* await read
    } finally {
      await Promise.allSettled(waiting)
      for (const buffer of flatten(state, isDeviceBuffer, 'the state of the inspection').leaves) buffer.release()
    }
  }

  async #read(results: unknown, batch: Batch): Promise<InspectedSegment[]> {
    const { leaves, structure } = flatten(results, isDeviceBuffer, 'the results of the inspection')
    const read = unflatten(structure, await readAndRelease(leaves)) as StepResults
    if (read.gates) {
      const [layers, heads] = read.gates.shape
      this.#gates = Array.from({ length: layers }, (_, i) => (read.gates!.data as Float32Array).slice(i * heads, (i + 1) * heads))
    }
    return batch.sources.flatMap((source, slot) => (source ? [this.#segment(read, slot, source)] : []))
  }

  #segment({ loss, lossWithout, retrieved }: StepResults, slot: number, { document, offset, length }: SegmentSource): InspectedSegment {
    const ofSlot = (array: HostArray): Float32Array => (array.data as Float32Array).slice(slot * array.shape[1], slot * array.shape[1] + length)
    const { memory } = this
    return {
      document: Number(document),
      offset,
      length,
      loss: ofSlot(loss),
      ...(lossWithout ? { lossWithout: ofSlot(lossWithout) } : {}),
      readable: memory ? { from: Math.max(0, offset - memory.size), to: offset } : { from: 0, to: 0 },
      layers: memory ? retrieved.map((layer, i) => layerRetrieval(layer, memory.layers[i], slot, offset)) : [],
    }
  }

  async release(): Promise<void> {
    await Promise.all([this.#init.release(), this.#step.release()])
  }
}

/** What one slot retrieved, its ages turned to places of the document. */
function layerRetrieval({ ages, weights }: StepResults['retrieved'][number], layer: number, slot: number, offset: number): LayerRetrieval {
  const [, heads, queries, neighbours] = ages.shape
  const size = heads * queries * neighbours
  const [from, to] = [slot * size, (slot + 1) * size]
  return {
    layer,
    heads,
    neighbours,
    queries,
    places: (ages.data as Int32Array).slice(from, to).map((age) => (age > 0 ? offset - age : -1)),
    weights: Float32Array.from((weights.data as Float32Array).subarray(from, to)),
  }
}

async function readAndRelease(buffers: readonly DeviceBuffer[]): Promise<HostArray[]> {
  const read = await Promise.allSettled(buffers.map((buffer) => buffer.read()))
  for (const buffer of buffers) buffer.release()
  return read.map((result) => {
    if (result.status === 'rejected') throw result.reason
    return result.value
  })
}
