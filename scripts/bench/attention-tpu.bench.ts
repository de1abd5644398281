import { fileURLToPath } from 'node:url'
import { vjp } from '../../src/autodiff/grad.ts'
import type { Tensor } from '../../src/ir/module.ts'
import { tensorType } from '../../src/ir/types.ts'
import { retrievedAttention } from '../../src/nn/retrieved-attention.ts'
import { type Retrieval, chooseRetrieval } from '../../src/nn/retrieval-plan.ts'
import { ringOrder } from '../../src/nn/ring.ts'
import { lowerWith } from '../../src/program/lower.ts'
import { TpuCompiler } from '../../src/runner/tpu-compiler.ts'
import { type BenchOptions, type BenchResult, compare } from './result.ts'
import { type TpuFigures, chip, estimateOnTpu, peerText } from './tpu-figures.ts'

export const description = 'estimate of search and attention to 32 of 8192 places on one v5e chip, there and back, against plain JAX'

const [slots, heads, queries, size, neighbours, recallTarget] = [8, 8, 512, 128, 32, 0.95]
const peer = fileURLToPath(new URL('./peers/retrieved_attention.py', import.meta.url))

/** Search and attention of `[64,512,128]` queries to `[64,n,128]` places with the gradient of the queries, all in bf16; rows as a memory's ring stores them. */
function program(places: number, retrieval: Retrieval) {
  const asked = tensorType('bf16', [slots, heads, queries, size])
  const memory = tensorType('bf16', [slots, heads, places, size])
  const bothWays = (q: Tensor, keys: Tensor, values: Tensor, filled: Tensor, dOut: Tensor): unknown => {
    const options = { filled, neighbours, search: 'approximate', recallTarget, retrieval, rowOrder: ringOrder(places) } as const
    const { output, pullback } = vjp((each: Tensor) => retrievedAttention(each, { keys, values }, options).out, q)
    return [output, pullback(dOut)]
  }
  return lowerWith({ name: 'retrieved_attention', target: 'tpu' }, bothWays, asked, memory, memory, tensorType('bool', [slots, places]), asked)
}

export async function bench({ quick, log }: BenchOptions): Promise<BenchResult> {
  const compiler = new TpuCompiler({ onLog: log })
  const ours = async (places: number, retrieval: Retrieval): Promise<TpuFigures> => {
    const figures = await estimateOnTpu(program(places, retrieval), compiler)
    log(`${retrieval}, ${places} places: ${figures.ms.toFixed(2)} ms, ${figures.temporariesMB.toFixed(0)} MB`)
    return figures
  }
  try {
    const chosen = chooseRetrieval({ memorySize: 8192, neighbours, computeDtype: 'bf16', memoryDtype: 'bf16', target: 'tpu' })
    const engram = await ours(8192, chosen.retrieval)
    const theirs = await estimateOnTpu(await peerText(peer, ['--k', `${neighbours}`, '--recall', `${recallTarget}`]), compiler)
    // Where the choice tips over, and that it tips there for a reason.
    const others: Record<string, number> = {}
    for (const places of quick ? [] : [8192, 16384, 32768])
      for (const retrieval of ['masked-dense', 'packed-gather'] as const) others[`${retrieval} ${places}`] = (await ours(places, retrieval)).ms
    return compare({
      name: 'attention-tpu',
      unit: 'ms',
      engram: engram.ms,
      peer: theirs.ms,
      details: { estimateFor: chip, queries: [slots * heads, queries, size], memory: [slots * heads, 8192, size], neighbours, ...chosen, engram, peer: theirs, others },
    })
  } finally {
    await compiler.close()
  }
}
