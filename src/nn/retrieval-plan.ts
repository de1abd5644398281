import type { DType } from '../ir/dtypes.ts'
import type { Target } from '../trace/target.ts'

/**
 * How attention gets at what a search has found. All ways mean the softmax over the neighbours; what differs is what is moved.
 *
 * - `gather`: two gathers, of keys and of values.
 * - `packed-gather`: one gather of rows that hold key and value both, over all slots and heads at once. bf16 rows have a key's element and a
 *   value's in one 32-bit word, for a TPU fetches those fastest.
 * - `masked-dense`: no gather: attention to the whole memory, with everything left out that scores less than the worst of the neighbours
 *   found. What an approximate search has missed although its score is above that takes part; so do places that tie with the worst one.
 */
export const retrievals = ['gather', 'packed-gather', 'masked-dense'] as const
export type Retrieval = (typeof retrievals)[number]

export interface RetrievalSize {
  /** Places of the memory. */
  readonly memorySize: number
  /** Neighbours of each query. */
  readonly neighbours: number
  /** Type of the queries. */
  readonly computeDtype: DType
  /** Type of the stored keys and values. */
  readonly memoryDtype: DType
  /** Where the program will run; without one, what is good everywhere. */
  readonly target?: Target | undefined
  /** Takes this one. */
  readonly retrieval?: Retrieval | undefined
}

export interface RetrievalPlan {
  readonly retrieval: Retrieval
  /** One sentence for a person. */
  readonly reason: string
}

/** On a TPU a row fetched costs, there and back, about as much as this many places attended to; both from estimates for one v5e chip. */
export const placesPerRow = 512

/** The way to attend to the neighbours. */
export function chooseRetrieval({ memorySize, neighbours, computeDtype, memoryDtype, target, retrieval }: RetrievalSize): RetrievalPlan {
  const plan = (chosen: Retrieval, why: string): RetrievalPlan => ({ retrieval: chosen, reason: `${chosen}: ${why}` })
  if (retrieval) return plan(retrieval, 'it was asked for')
  if (target !== 'tpu') return plan('gather', `${target === undefined ? 'no target is named' : `the target is ${target}`}, where fetching rows costs little`)
  if (computeDtype !== memoryDtype) return plan('packed-gather', `the memory is ${memoryDtype}, the queries are ${computeDtype}`)
  const most = placesPerRow * neighbours
  if (memorySize <= most) return plan('masked-dense', `${memorySize} places cost a TPU less than ${neighbours} rows fetched for each query, which pays up to ${most}`)
  return plan('packed-gather', `${memorySize} places cost a TPU more than ${neighbours} rows fetched for each query, which pays from ${most} on`)
}
