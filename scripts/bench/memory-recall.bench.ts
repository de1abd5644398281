import { parseArgs } from 'node:util'
import { type CheckpointModel, readCheckpointModel } from '../../src/cli/checkpoint-model.ts'
import { createEvaluationStream } from '../../src/data/packing.ts'
import type { HostArray } from '../../src/ir/host-array.ts'
import { InputError } from '../../src/ir/errors.ts'
import { type SearchLowering, chooseLowering } from '../../src/knn/plan.ts'
import type { LanguageModel, ModelInput } from '../../src/models/model.ts'
import { lowerWith } from '../../src/program/lower.ts'
import { type Executable, isDeviceBuffer } from '../../src/program/session.ts'
import { startRunner } from '../../src/program/start.ts'
import { packageRoot } from '../../src/runner/python.ts'
import { flatten, unflatten } from '../../src/trace/tree.ts'
import { openTrainingData } from '../../src/train/corpus.ts'
import { evaluationInitProgram } from '../../src/train/programs.ts'
import { batchSpec } from '../../src/train/train-step.ts'
import { RecallCount, type RecallFigures } from './recall-count.ts'
import { type BenchOptions, type BenchResult, compare } from './result.ts'

export const description = 'recall of the searches in the memory of a trained model: --run RUN [--tokens N per slot] [--slots N] [--memory N]'

const lowerings = ['partial-reduce', 'packed', 'packed-2'] as const satisfies readonly SearchLowering[]
const targets = [0.8, 0.9, 0.95]
/** Segments from one measurement to the next: what lies in the memory changes slowly. */
const stride = 4

interface Arm {
  readonly lowering: SearchLowering
  readonly wanted: number
  readonly expected: number
  readonly count: RecallCount
}

/**
 * Reads held-out documents with a trained Memorizing Transformer, and asks the model again at the same states with each way of the approximate search: what its first
 * memory layer finds there, of what it finds exactly, is the recall, over rows in the order in which the memory stores them. Only full memories count.
 * Of several memory layers the first is measured: what the others ask for depends on what it found. `engram` is the least measured recall less the one wanted; a
 * recall below the one wanted by more than two standard errors is an error.
 */
export async function bench({ quick, args, log }: BenchOptions): Promise<BenchResult> {
  const flags = flagsOf(args)
  const checkpoint = await readCheckpointModel(flags.run, { set: { search: 'exact', searchLowering: 'auto', ...(flags.memory ? { memorySize: flags.memory } : {}) } })
  const { memorySize, neighbours } = checkpoint.trained.config as { memorySize?: number; neighbours?: number }
  if (!memorySize || !neighbours) throw new InputError(`${flags.run} is a ${checkpoint.trained.model.name} without a memory: a memorizing-transformer is needed`, 'BENCH_FLAGS')
  const arms = lowerings.flatMap((lowering) => targets.map((wanted): Arm => {
    const plan = chooseLowering({ size: memorySize, k: neighbours, recallTarget: wanted, lowering })
    return { lowering, wanted, expected: plan.expectedRecall, count: new RecallCount() }
  }))
  await measure(checkpoint, arms, { ...flags, segments: Math.ceil((memorySize + (flags.tokens ?? (quick ? 512 : 8192))) / checkpoint.trained.config.segmentLength), memorySize })
  const rows = arms.map(({ count, ...arm }) => ({ ...arm, ...count.figures() }))
  for (const row of rows) log(line(row))
  const under = rows.filter(({ recall, standardError, wanted }) => recall + 2 * standardError < wanted)
  if (under.length > 0) throw new Error(`below the recall wanted by more than two standard errors:\n${under.map(line).join('\n')}`)
  const worst = rows.reduce((a, b) => (b.recall - b.wanted < a.recall - a.wanted ? b : a))
  return compare({ name: 'memory-recall', unit: 'recall over the wanted', engram: worst.recall - worst.wanted, peer: 0, details: { checkpoint: checkpoint.checkpoint, memorySize, neighbours, rows } })
}

const line = ({ lowering, wanted, expected, recall, standardError, segments, queries, lowest, heads }: Omit<Arm, 'count'> & RecallFigures): string =>
  `${lowering.padEnd(14)} wanted ${wanted}, expected ${expected.toFixed(4)}, measured ${recall.toFixed(4)} +- ${standardError.toFixed(4)} over ${queries} queries in ${segments} segments ` +
  `(lowest segment ${lowest.toFixed(4)}; heads ${heads.map((head) => head.toFixed(4)).join(' ')})`

interface Flags {
  readonly run: string
  readonly tokens: number | undefined
  readonly slots: number
  readonly memory: number | undefined
}

function flagsOf(args: readonly string[]): Flags {
  const { values } = parseArgs({ args: [...args], options: { run: { type: 'string' }, tokens: { type: 'string' }, slots: { type: 'string' }, memory: { type: 'string' } } })
  const count = (name: 'tokens' | 'slots' | 'memory'): number | undefined => {
    if (values[name] === undefined) return undefined
    const value = Number(values[name])
    if (!Number.isInteger(value) || value < 1) throw new InputError(`--${name} is ${values[name]}, must be a whole number above 0`, 'BENCH_FLAGS')
    return value
  }
  if (values.run === undefined) throw new InputError('whose memory? --run RUN, the folder of a run of a memorizing-transformer', 'BENCH_FLAGS')
  return { run: values.run, tokens: count('tokens'), slots: count('slots') ?? 4, memory: count('memory') }
}

/** Reads `segments` segments of each slot, and counts in each arm what it finds where memories are full. Throws `InputError` where none was. */
async function measure({ trained, run, tokenizer, spec, parameters: arrays }: CheckpointModel, arms: readonly Arm[], { slots, segments, memorySize }: Flags & { readonly segments: number; readonly memorySize: number }): Promise<void> {
  const { model, config } = trained as { model: LanguageModel<any>; config: any }
  const init = evaluationInitProgram(trained, slots)
  const stateTypes = unflatten(init.outputStructure, init.outputs)
  const { tokens: tokenType, start: startType } = batchSpec(slots, config.segmentLength)
  const input = { tokens: tokenType, start: startType }
  const advance = lowerWith({ name: 'advance' }, (parameters: any, state: any, batch: ModelInput) => model.apply(config, parameters, state, batch).state, spec as never, stateTypes as never, input as never)
  const searches = [config, ...arms.map(({ lowering, wanted }) => ({ ...config, search: 'approximate', recallTarget: wanted, searchLowering: lowering }))]
  const ask = lowerWith({ name: 'ask' }, (parameters: any, state: any, batch: ModelInput) => searches.map((search) => model.apply(search, parameters, state, batch).retrieved![0].ages), spec as never, stateTypes as never, input as never)
  const data = await openTrainingData(run.data, packageRoot, tokenizer)
  const session = await startRunner()
  try {
    const [begin, step, find] = (await Promise.all([session.compile(init), session.compile(advance), session.compile(ask)])) as Executable<any, any>[]
    const stream = createEvaluationStream(data.documents.test, { slots, segment: config.segmentLength, tokenizer, seed: 0 })
    const parameters = session.put(arrays)
    let state: unknown = begin.call()
    for (let i = 0; i < segments; i++) {
      const batch = stream.next()
      if (!batch) break
      const { tokens, start, sources } = batch
      const full = [...sources.entries()].flatMap(([slot, source]) => (source && source.offset >= memorySize ? [{ slot, queries: source.length }] : []))
      if (i % stride === 0 && full.length > 0) {
        const [exact, ...found] = (await find.run(parameters, state, { tokens, start })) as HostArray[]
        for (const { slot, queries } of full) arms.forEach(({ count }, arm) => count.add(exact, found[arm], slot, queries))
      }
      const before = flatten(state, isDeviceBuffer, 'the state').leaves
      state = step.call(parameters, state, { tokens, start })
      for (const buffer of before) buffer.release()
    }
  } finally {
    data.close()
    await session.close()
  }
  if (arms[0].count.isEmpty) throw new InputError(`no memory of ${memorySize} was full after ${segments} segments: read with a smaller one (--memory), or more (--tokens)`, 'BENCH_FLAGS')
}
