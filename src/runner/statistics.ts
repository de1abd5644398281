import type { CompileStatistics } from '../ir/backend.ts'
import type { CompileForSummary, CompileReply } from './gen/runner_pb.ts'

/** Figures of a compilation as the protocol spells them. */
export function statisticsFromWire(reply: CompileReply | CompileForSummary): CompileStatistics {
  const { memory } = reply
  return {
    compileSeconds: reply.compileSeconds,
    memory: memory && {
      arguments: Number(memory.arguments),
      outputs: Number(memory.outputs),
      temporaries: Number(memory.temporaries),
      aliased: Number(memory.aliased),
      code: Number(memory.code),
      peak: Number(memory.peak),
    },
    flops: reply.flops,
    bytesAccessed: reply.bytesAccessed,
  }
}
