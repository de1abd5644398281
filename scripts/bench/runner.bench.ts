import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { HostArray } from '../../src/ir/host-array.ts'
import { tensorType } from '../../src/ir/types.ts'
import type { Tensor } from '../../src/ir/module.ts'
import { lowerWith } from '../../src/program/lower.ts'
import type { Executable, Session } from '../../src/program/session.ts'
import { startRunner } from '../../src/program/start.ts'
import { add, multiply } from '../../src/ops/arithmetic.ts'
import { dotGeneral } from '../../src/ops/dot-general.ts'
import { reduceSum } from '../../src/ops/reduce.ts'
import { foriLoop } from '../../src/lib/loops.ts'
import { findPython, pythonEnvironment } from '../../src/runner/python.ts'
import { type BenchOptions, type BenchResult, compare, median } from './result.ts'

export const description = 'a step with 150 donated state buffers against the executable\'s own time in Python'

const buffers = 150
const size = 256

/** `rounds` matrix products inside one program, and 150 state tensors that go in and come out. */
const stepOf = (rounds: number) =>
  lowerWith(
    { name: `rounds_${rounds}`, donate: [0] },
    (state: Tensor[], x: Tensor, bias: Tensor) => {
      const product = foriLoop(0, rounds, (_: Tensor, y: Tensor) => multiply(dotGeneral(y, x, { contracting: [[1], [0]] }), 1 / size), x)
      return { state: state.map((s) => add(s, bias)), sum: reduceSum(product) }
    },
    Array.from({ length: buffers }, () => tensorType('f32', [64, 64])),
    tensorType('f32', [size, size]),
    tensorType('f32', []),
  )

/**
 * The executable's own time is that of the same program run in a loop inside a Python process, through the same call into XLA, with no
 * protocol around it (`peers/own_time.py`). Awaited steps read a result each, as a loop that prints a loss does; pipelined ones do not.
 */
export async function bench({ quick, log }: BenchOptions): Promise<BenchResult> {
  const runner = await startRunner()
  const folder = await mkdtemp(join(tmpdir(), 'engram-bench-'))
  try {
    const program = stepOf(8)
    const path = join(folder, 'step.mlir')
    await writeFile(path, program.text)
    const own = async (...flags: string[]): Promise<number> => {
      const script = fileURLToPath(new URL('./peers/own_time.py', import.meta.url))
      const { stdout } = await execa(findPython().command, [script, path, String(buffers), quick ? '30' : '300', ...flags], { env: pythonEnvironment() })
      return Number(stdout)
    }
    const rounds: Record<'awaited' | 'ownAwaited' | 'pipelined' | 'ownPipelined', number>[] = []
    for (let i = 0; i < (quick ? 1 : 3); i++) {
      rounds.push({
        awaited: await timeSteps(runner, program, quick, true),
        ownAwaited: await own(),
        pipelined: await timeSteps(runner, program, quick, false),
        ownPipelined: await own('--pipelined'),
      })
      log(JSON.stringify(rounds.at(-1)))
    }
    const of = (key: keyof (typeof rounds)[number]): number => median(rounds.map((round) => round[key]))
    return compare({
      name: 'runner',
      unit: 'ms a step',
      engram: of('awaited'),
      peer: of('ownAwaited'),
      details: { overheadMs: of('awaited') - of('ownAwaited'), overheadPipelinedMs: of('pipelined') - of('ownPipelined'), buffers, rounds, note: 'the peer is the executable\'s own time; the limit is 2 ms over it' },
    })
  } finally {
    await rm(folder, { recursive: true, force: true })
    await runner.close()
  }
}

async function timeSteps(runner: Session, program: ReturnType<typeof stepOf>, quick: boolean, awaited: boolean): Promise<number> {
  const step = (await runner.compile(program)) as Executable<any, any>
  let state: unknown = runner.put(Array.from({ length: buffers }, () => HostArray.zeros('f32', [64, 64])))
  const x = runner.put(HostArray.of('f32', [size, size], Array.from({ length: size * size }, (_, i) => Math.sin(i))))
  const bias = runner.put(HostArray.from('f32', 1))
  const times: number[] = []
  const block = 10
  for (let i = 0; i < (quick ? 3 : 30); i++) {
    const begin = performance.now()
    let last: { read(): Promise<HostArray> } | undefined
    for (let j = 0; j < block; j++) {
      const result = step.call(state, x, bias) as { state: unknown; sum: { read(): Promise<HostArray> } }
      state = result.state
      last = result.sum
      if (awaited) await last.read()
    }
    await last!.read()
    times.push((performance.now() - begin) / block)
  }
  await step.release()
  return median(times)
}
