import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import type { DeviceBuffer } from '../../src/ir/backend.ts'
import { dtypeNames, dtypes } from '../../src/ir/dtypes.ts'
import { HostArray } from '../../src/ir/host-array.ts'
import { tensorType } from '../../src/ir/types.ts'
import { RunnerArgumentError, RunnerFileError } from '../../src/runner/errors.ts'
import { unheldTypes } from '../../src/runner/put.ts'
import { findPython } from '../../src/runner/python.ts'
import type { Runner } from '../../src/runner/runner.ts'
import { startRunner } from '../../src/runner/start.ts'
import { addition, program, slow, transpose } from './programs.ts'

let runner: Runner
let folder: string
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'engram-runner-test-'))
  runner = await startRunner({ devices: 2 })
})
afterAll(async () => {
  await runner?.close()
  rmSync(folder, { recursive: true, force: true })
})

const f32 = (...values: number[]) => HostArray.from('f32', values)
const values = async (buffer: DeviceBuffer) => (await buffer.read()).toNested()

describe('the handshake', () => {
  it('tells platform, devices and versions', () => {
    expect(runner.platform).toBe('cpu')
    expect(runner.devices.map(({ kind }) => kind)).toEqual(['cpu', 'cpu'])
    expect(runner.versions).toMatchObject({ jax: '0.10.2', jaxlib: '0.10.2', numpy: '2.4.6', protocol: '2' })
    expect(runner.versions.python).toMatch(/^3\.\d+\.\d+$/)
    expect(runner.processId).toBeGreaterThan(1)
  })
})

describe('programs', () => {
  it('run on host arrays and buffers alike', async () => {
    const add = await runner.compile(addition())
    const y = runner.put(f32(10, 20, 30, 40))
    const [sum] = add.execute([f32(1, 2, 3, 4), y])
    expect(await values(sum)).toEqual([11, 22, 33, 44])
    expect(await values(add.execute([sum, sum])[0])).toEqual([22, 44, 66, 88])
    await sum.ready()
    await add.release()
    await add.release()
    expect(() => add.execute([y, y])).toThrow(/addition was released/)
  })

  it('report what compilation found out', async () => {
    const { statistics } = await runner.compile(addition())
    expect(statistics.compileSeconds).toBeGreaterThan(0)
    expect(statistics.flops).toBe(4)
    expect(statistics.bytesAccessed).toBe(48)
    expect(statistics.memory).toMatchObject({ arguments: 32, outputs: 16, temporaries: 0, aliased: 0 })
  })

  it('are started before what they need has run', async () => {
    const run = await runner.compile(slow)
    const add = await runner.compile(addition(tensorType('i32', [])))
    const start = performance.now()
    const [count] = run.execute([HostArray.from('i32', 300_000)])
    let total: DeviceBuffer = count
    for (let i = 0; i < 20; i++) total = add.execute([total, HostArray.from('i32', 1)])[0]
    const started = performance.now() - start
    expect((await total.read()).item()).toBe(300_020)
    expect(started).toBeLessThan((performance.now() - start) / 2)
  })

  it('answer a ping while one runs', async () => {
    const run = await runner.compile(slow)
    const [count] = run.execute([HostArray.from('i32', 1_000_000)])
    let done = false
    const reading = count.read().then(() => {
      done = true
    })
    await runner.ping()
    expect(done).toBe(false)
    await reading
  })

  it('without inputs or outputs', async () => {
    const none = await runner.compile(program('none', [], [], 'func.func public @main() { return }'))
    expect(none.execute([])).toEqual([])
    const empty = tensorType('f32', [0, 3])
    const add = await runner.compile(addition(empty))
    expect((await add.execute([HostArray.zeros('f32', [0, 3]), HostArray.zeros('f32', [0, 3])])[0].read()).type).toEqual(empty)
  })
})

describe('a step', () => {
  it('over 150 state buffers takes less than 2 ms, the time of its small program included', async () => {
    const count = 150
    const type = tensorType('f32', [64, 64])
    const t = 'tensor<64x64xf32>'
    const each = (line: (i: number) => string, separator: string) => Array.from({ length: count }, (_, i) => line(i)).join(separator)
    const text = `func.func public @main(${each((i) => `%s${i}: ${t} {tf.aliasing_output = ${i} : i32}`, ', ')}, %x: ${t}) -> (${each(() => t, ', ')}) {
      ${each((i) => `%r${i} = stablehlo.add %s${i}, %x : ${t}`, '\n')}
      return ${each((i) => `%r${i}`, ', ')} : ${each(() => t, ', ')}
    }`
    const step = await runner.compile(program('step', Array(count + 1).fill(type), Array(count).fill(type), text))
    let state = Array.from({ length: count }, () => runner.put(HostArray.zeros('f32', [64, 64])))
    const x = HostArray.of('f32', [64, 64], new Float32Array(4096).fill(1))
    let steps = 0
    let bestMs = Infinity
    // The best of several rounds: other processes share the machine.
    while (bestMs >= 2 && steps < 2000) {
      const start = performance.now()
      for (let i = 0; i < 50; i++) state = step.execute([...state, x])
      await state[0].ready()
      steps += 50
      bestMs = Math.min(bestMs, (performance.now() - start) / 50)
    }
    expect((await state[149].read()).at(0)).toBe(steps)
    expect(bestMs).toBeLessThan(2)
  })
})

describe('element types', () => {
  it.each(dtypeNames.filter((dtype) => !unheldTypes.has(dtype)))('%s goes to the device, through a program and back', async (dtype) => {
    const { kind } = dtypes[dtype]
    const list = kind === 'bool' ? [0, 1, 1, 0, 1, 0] : kind === 'unsigned' ? [0, 1, 2, 3, 1, 2] : kind === 'signed' ? [0, 1, -1, -2, 1, 0] : [1, 2, 4, 0.5, 2, 1]
    const x = HostArray.of(dtype, [2, 3], list)
    const move = await runner.compile(transpose(dtype))
    for (const input of [x, runner.put(x)]) {
      const y = await move.execute([input])[0].read()
      expect(y.type).toEqual(tensorType(dtype, [3, 2]))
      const column = (i: number) => [x.at(i), x.at(i + 3)]
      expect(y.toNested()).toEqual([column(0), column(1), column(2)])
    }
  })

  it.each(dtypeNames.filter((dtype) => unheldTypes.has(dtype)))('%s, which XLA cannot hold, is refused', (dtype) => {
    expect(() => runner.put(HostArray.zeros(dtype, [2]))).toThrow(`XLA cannot hold an array ${dtype}[2]`)
  })

  it('keep NaNs, infinities and signed zeros', async () => {
    const x = f32(NaN, Infinity, -Infinity, -0)
    const back = await runner.put(x).read()
    expect([...back.toBytes()]).toEqual([...x.toBytes()])
  })

  it('any size, in several frames', async () => {
    for (const count of [1, 5000, 262_144, 262_145, 3_000_001]) {
      const x = HostArray.of('i32', [count], Int32Array.from({ length: count }, (_, i) => Math.imul(i, 2654435761) | 0))
      const buffer = runner.put(x)
      expect(Buffer.compare((await buffer.read()).toBytes(), x.toBytes())).toBe(0)
      buffer.release()
    }
  })

  it('are copied when they are sent', async () => {
    const x = HostArray.zeros('f32', [1 << 20])
    const buffer = runner.put(x)
    x.data.fill(1 as never)
    expect((await buffer.read()).at(12_345)).toBe(0)
  })
})

describe('buffers', () => {
  it('are gone once released', async () => {
    const before = (await runner.statistics()).buffers
    const buffer = runner.put(f32(1))
    expect((await runner.statistics()).buffers).toBe(before + 1)
    buffer.release()
    buffer.release()
    expect(buffer.released).toBe(true)
    expect((await runner.statistics()).buffers).toBe(before)
    await expect(buffer.read()).rejects.toThrow('the buffer f32[1] was released, so it cannot be read')
    await expect(buffer.ready()).rejects.toThrow(RunnerArgumentError)
  })

  it('that are donated are gone, and the state stays in one place', async () => {
    // A runner of its own: buffers that other tests forgot may be collected at any moment and would change the count.
    const alone = await startRunner()
    onTestFinished(() => alone.close())
    const type = tensorType('f32', [4096])
    const step = await alone.compile(addition(type, true))
    expect(step.statistics.memory?.aliased).toBe(4096 * 4)
    const one = alone.put(HostArray.of('f32', [4096], new Float32Array(4096).fill(1)))
    let state = alone.put(HostArray.zeros('f32', [4096]))
    const before = await alone.statistics()
    const reads: Promise<HostArray>[] = []
    for (let i = 0; i < 200; i++) {
      const old = state
      // A read that was asked for before the buffer is given away still sees its content.
      if (i % 50 === 0) reads.push(old.read())
      state = step.execute([old, one])[0]
      expect(old.released).toBe(true)
    }
    const taken = state
    state = step.execute([taken, one])[0]
    await expect(taken.read()).rejects.toThrow(/was donated to addition at .*runner\.test\.ts:\d+:\d+, so it cannot be read/)
    expect(() => step.execute([taken, one])).toThrow(/addition: input 0, f32\[4096\], was donated to addition/)
    expect((await state.read()).at(7)).toBe(201)
    expect((await Promise.all(reads)).map((array) => array.at(0))).toEqual([0, 50, 100, 150])
    const after = await alone.statistics()
    expect(after.buffers).toBe(before.buffers)
    expect(after.bufferBytes).toBe(before.bufferBytes)
    expect(after.executions).toBe(before.executions + 201)
  })

  it('that nobody holds any more are freed when they are collected', async () => {
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    const before = (await runner.statistics()).buffers
    ;(() => {
      for (let i = 0; i < 5; i++) runner.put(f32(i))
    })()
    expect((await runner.statistics()).buffers).toBe(before + 5)
    await expect
      .poll(
        async () => {
          collect()
          return (await runner.statistics()).buffers
        },
        { timeout: 20_000 },
      )
      .toBeLessThanOrEqual(before)
  })

  it('cannot be donated and passed once more', async () => {
    const step = await runner.compile(addition(tensorType('f32', [2]), true))
    const x = runner.put(f32(1, 2))
    expect(() => step.execute([x, x])).toThrow('addition: input 0 is donated, so the same buffer cannot be input 1 as well')
    expect(x.released).toBe(false)
  })
})

describe('files', () => {
  it('hold buffers and metadata, whole', async () => {
    const path = join(folder, 'state.safetensors')
    const arrays: Record<string, HostArray> = {
      'layer/w': HostArray.from('f32', [[1, 2], [3, -0]]),
      b: HostArray.from('bf16', [1.5, -2]),
      step: HostArray.from('i64', 12345678901n),
      mask: HostArray.from('bool', [true, false, true]),
      scale: HostArray.from('f8E4M3FN', [0.5, 448]),
      nothing: HostArray.zeros('f32', [0, 2]),
    }
    const buffers = Object.fromEntries(Object.entries(arrays).map(([name, array]) => [name, runner.put(array)]))
    await runner.saveBuffers(path, buffers, { model: 'tiny', 'with "quotes"': 'ü' })
    expect(readdirSync(folder)).toEqual(['state.safetensors'])

    const loaded = await runner.loadBuffers(path)
    expect(loaded.metadata).toEqual({ model: 'tiny', 'with "quotes"': 'ü' })
    expect(Object.keys(loaded.buffers).sort()).toEqual(Object.keys(arrays).sort())
    for (const [name, array] of Object.entries(arrays)) {
      const back = await loaded.buffers[name].read()
      expect(back.type).toEqual(array.type)
      expect([...back.toBytes()]).toEqual([...array.toBytes()])
    }

    // The upstream package reads the same.
    const script = [
      'import sys, json, ml_dtypes',
      'from safetensors import safe_open',
      'with safe_open(sys.argv[1], "np") as f:',
      '    print(json.dumps([f.metadata(), {k: [str(f.get_tensor(k).dtype), f.get_tensor(k).astype(float).tolist()] for k in f.keys() if k != "scale"}]))',
    ].join('\n')
    const [metadata, tensors] = JSON.parse(execFileSync(findPython().command, ['-c', script, path], { encoding: 'utf8' }))
    expect(metadata).toEqual({ model: 'tiny', 'with "quotes"': 'ü' })
    expect(tensors).toEqual({
      'layer/w': ['float32', [[1, 2], [3, -0]]],
      b: ['bfloat16', [1.5, -2]],
      step: ['int64', 12345678901],
      mask: ['bool', [1, 0, 1]],
      nothing: ['float32', []],
    })
    rmSync(path)
  })

  it('that cannot be read or written are named', async () => {
    const path = join(folder, 'bad.safetensors')
    await expect(runner.loadBuffers(path)).rejects.toThrow(`cannot read ${path}: No such file or directory`)
    writeFileSync(path, 'hello')
    await expect(runner.loadBuffers(path)).rejects.toThrow(`${path} is not a whole safetensors file`)
    await runner.saveBuffers(path, { x: runner.put(HostArray.zeros('f32', [1000])) })
    const whole = execFileSync('cat', [path])
    writeFileSync(path, whole.subarray(0, 2000))
    await expect(runner.loadBuffers(path)).rejects.toThrow(RunnerFileError)
    const elsewhere = join(folder, 'no/such/folder/x.safetensors')
    await expect(runner.saveBuffers(elsewhere, {})).rejects.toThrow(`cannot write ${elsewhere}: No such file or directory`)
    rmSync(path)
  })

  it('cannot hold every type', async () => {
    const path = join(folder, 'types.safetensors')
    await expect(runner.saveBuffers(path, { q: runner.put(HostArray.zeros('i4', [2])) })).rejects.toThrow(/q is int4, which safetensors files cannot hold/)
    expect(readdirSync(folder)).toEqual([])
  })

  it('are not left half-written on a full disk', async () => {
    // A limit on the size of files stands for the full disk; 8 blocks of 1024 bytes.
    const python = findPython().command
    const small = await startRunner({
      command: ['bash', '-c', 'ulimit -f 8; exec env PYTHONPATH=scripts/runner "$0" -m engram_runner', python],
    })
    try {
      const path = join(folder, 'full.safetensors')
      await expect(small.saveBuffers(path, { x: small.put(HostArray.zeros('f32', [100_000])) })).rejects.toThrow(`cannot write ${path}: File too large`)
      expect(readdirSync(folder)).toEqual([])
      expect(await values(small.put(f32(1)))).toEqual([1])
    } finally {
      await small.close()
    }
  })
})
