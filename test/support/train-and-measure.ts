/**
 * Trains a small model on the CPU and prints, as JSON, the memory of this process and of its runner at two steps. Run by itself with `--expose-gc`:
 * what the collector has not come to yet is not growth.
 */
import { execFileSync } from 'node:child_process'
import { byteTokenizer } from '../../src/data/tokenizer.ts'
import { configure } from '../../src/models/registry.ts'
import { startRunner } from '../../src/program/start.ts'
import { Trainer } from '../../src/train/trainer.ts'
import { tinyDocuments, tinyRun } from '../train/tiny-run.ts'

/** Bytes. */
export interface MemorySample {
  readonly step: number
  /** Objects that are in use. */
  readonly nodeLive: number
  readonly node: number
  readonly runner: number
}

const [warm, last] = process.argv.slice(2).map(Number)

/** Resident bytes of this process and of the Python that it started. */
function residentBytes(): { node: number; runner: number } {
  const rows = execFileSync('ps', ['-A', '-o', 'pid=,ppid=,rss=,args='], { encoding: 'utf8' }).split('\n').map((line) => /^\s*(\d+)\s+(\d+)\s+(\d+)\s+(.*)$/.exec(line))
  const bytes = (row: RegExpExecArray | null | undefined): number => 1024 * Number(row![3])
  return {
    node: bytes(rows.find((row) => Number(row?.[1]) === process.pid)),
    runner: bytes(rows.find((row) => Number(row?.[2]) === process.pid && row![4].includes('engram_runner'))),
  }
}

function sample(step: number): MemorySample {
  for (let i = 0; i < 3; i++) globalThis.gc!()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return { step, nodeLive: heapUsed + arrayBuffers, ...residentBytes() }
}

const session = await startRunner()
const trained = configure({ model: 'memorizing-transformer', vocabularySize: 257, segmentLength: 8, width: 8, layers: 1, heads: 1, memorySize: 32, neighbours: 4, memoryLayers: [1] })
const run = tinyRun({ steps: last, logEvery: 100 })
const trainer = await Trainer.create(session, { ...trained, run, tokenizer: byteTokenizer(), train: tinyDocuments() })
const samples: MemorySample[] = []
await trainer.run({}, { report: ({ step }) => { if (step === warm || step === last) samples.push(sample(step)) } })
await trainer.release()
await session.close()
process.stdout.write(JSON.stringify(samples))
