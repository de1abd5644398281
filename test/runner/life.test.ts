import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { create, toBinary } from '@bufbuild/protobuf'
import { afterEach, describe, expect, it } from 'vitest'
import { HostArray } from '../../src/ir/host-array.ts'
import { RunnerClosedError, RunnerDiedError, type RunnerError } from '../../src/runner/errors.ts'
import { FrameDecoder, encodeRequest } from '../../src/runner/frames.ts'
import { ErrorKind, ProtocolVersion, type Reply, ReplySchema } from '../../src/runner/gen/runner_pb.ts'
import { findPython, pythonEnvironment } from '../../src/runner/python.ts'
import type { Runner } from '../../src/runner/runner.ts'
import { type StartOptions, startRunner } from '../../src/runner/start.ts'
import { addition, slow } from './programs.ts'

const opened: Runner[] = []
const children: ChildProcess[] = []
afterEach(async () => {
  await Promise.all(opened.splice(0).map((runner) => runner.close()))
  for (const child of children.splice(0)) child.kill('SIGKILL')
})
async function start(options?: StartOptions): Promise<Runner> {
  const runner = await startRunner(options)
  opened.push(runner)
  return runner
}
const rejection = (promise: Promise<unknown>): Promise<RunnerError> =>
  promise.then(
    () => expect.fail('did not reject'),
    (error: RunnerError) => error,
  )
function alive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
async function gone(pid: number): Promise<void> {
  await expect.poll(() => alive(pid), { timeout: 20_000 }).toBe(false)
}
const rounds = (count: number) => HostArray.from('i32', count)

describe('a runner that dies', () => {
  it('fails every call that waits and every later one, with its last words', async () => {
    const runner = await start({ command: ['bash', '-c', 'echo a last word >&2; PYTHONPATH=scripts/runner exec "$0" -m engram_runner', findPython().command] })
    const run = await runner.compile(slow)
    const [count] = run.execute([rounds(50_000_000)])
    const waiting = [count.read(), count.ready(), runner.statistics(), runner.compile(addition())].map(rejection)
    await runner.ping()
    process.kill(runner.processId, 'SIGKILL')
    for (const error of await Promise.all(waiting)) {
      expect(error).toBeInstanceOf(RunnerDiedError)
      expect(error.message).toBe('the runner was killed by SIGKILL while executing slow; its last words:\n  | a last word')
    }
    const asked = performance.now()
    expect(await rejection(count.read())).toBeInstanceOf(RunnerDiedError)
    expect(await rejection(runner.compile(addition()))).toBeInstanceOf(RunnerDiedError)
    expect(() => run.execute([rounds(1)])).toThrow(RunnerDiedError)
    expect(() => runner.put(rounds(1))).toThrow(RunnerDiedError)
    expect(performance.now() - asked).toBeLessThan(100)
    count.release()
    await runner.close()
  })
})

describe('close', () => {
  it('ends the process and fails what waits', async () => {
    const runner = await start()
    const run = await runner.compile(slow)
    const waiting = rejection(run.execute([rounds(100_000)])[0].read())
    await runner.close()
    expect(await waiting).toBeInstanceOf(RunnerClosedError)
    expect(alive(runner.processId)).toBe(false)
    expect(() => runner.put(rounds(1))).toThrow('the runner was closed')
    await runner.close()
  })

  it('kills a process that does not end in time', async () => {
    const runner = await start({ closeTimeoutMs: 300 })
    const run = await runner.compile(slow)
    run.execute([rounds(50_000_000)])
    await runner.ping()
    const asked = performance.now()
    await runner.close()
    expect(performance.now() - asked).toBeLessThan(5000)
    expect(alive(runner.processId)).toBe(false)
  })
})

/** A Node process that runs a script with the runner in it, in its own process group. */
function script(body: string): ChildProcess {
  const source = `
    import { startRunner } from ${JSON.stringify(new URL('../../src/runner/start.ts', import.meta.url).href)}
    import { HostArray } from ${JSON.stringify(new URL('../../src/ir/host-array.ts', import.meta.url).href)}
    import { slow } from ${JSON.stringify(new URL('./programs.ts', import.meta.url).href)}
    const runner = await startRunner()
    ${body}`
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', source], {
    cwd: fileURLToPath(new URL('../..', import.meta.url)),
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  })
  children.push(child)
  return child
}
async function firstLine(child: ChildProcess): Promise<string> {
  const [piece] = await once(child.stdout!, 'data')
  return String(piece).trim()
}

describe('the parent', () => {
  it.each(['idle', 'in the middle of work'])('takes the runner with it when it is killed, %s', async (state) => {
    const work = state === 'idle' ? '' : 'const run = await runner.compile(slow); run.execute([HostArray.from("i32", 500_000_000)]); await runner.ping();'
    const child = script(`${work} console.log(runner.processId); setInterval(() => {}, 1000)`)
    const pid = Number(await firstLine(child))
    expect(alive(pid)).toBe(true)
    child.kill('SIGKILL')
    await gone(pid)
  })

  it('ends by itself when it has nothing left to do, and waits while it has', async () => {
    const child = script(`
      const run = await runner.compile(slow)
      const [count] = run.execute([HostArray.from('i32', 100_000)])
      count.read().then((array) => console.log(runner.processId, array.item()))`)
    let printed = ''
    child.stdout!.on('data', (piece) => (printed += piece))
    const [code] = await once(child, 'close')
    expect(code).toBe(0)
    const [pid, count] = printed.trim().split(' ').map(Number)
    expect(count).toBe(100_000)
    await gone(pid)
  })

  it('gets Ctrl-C alone: the runner works on', async () => {
    const child = script(`
      const run = await runner.compile(slow)
      process.on('SIGINT', async () => {
        const [count] = run.execute([HostArray.from('i32', 7)])
        console.log('saved', (await count.read()).item())
        await runner.close()
        process.exit(130)
      })
      console.log(runner.processId)
      setInterval(() => {}, 1000)`)
    const pid = Number(await firstLine(child))
    const next = firstLine(child)
    const end = once(child, 'close')
    // As a terminal does: to the whole group. And to the runner itself, which ignores it.
    process.kill(-child.pid!, 'SIGINT')
    process.kill(pid, 'SIGINT')
    expect(await next).toBe('saved 7')
    expect((await end)[0]).toBe(130)
    await gone(pid)
  })
})

describe('the Python side', () => {
  /** Sends raw bytes and ends the stream; what came back and how the process ended. */
  async function talk(bytes: Uint8Array[]): Promise<{ replies: Reply[]; code: number; log: string }> {
    const child = spawn(findPython().command, ['-m', 'engram_runner'], { env: { ...process.env, ...pythonEnvironment() } })
    children.push(child)
    const replies: Reply[] = []
    const decoder = new FrameDecoder((reply) => replies.push(reply))
    let log = ''
    child.stdout.on('data', (piece) => decoder.push(piece))
    child.stderr.on('data', (piece) => (log += piece))
    for (const piece of bytes) child.stdin.write(piece)
    child.stdin.end()
    const [code] = await once(child, 'close')
    return { replies, code, log }
  }
  const hello = encodeRequest(1n, {
    case: 'hello',
    value: { $typeName: 'engram.v1.Hello', protocolVersion: ProtocolVersion.CURRENT, platform: 'cpu', devices: 0 },
  })
  const ping = encodeRequest(2n, { case: 'ping', value: { $typeName: 'engram.v1.Ping' } })

  it('ends quietly with the stream', async () => {
    expect(await talk([])).toEqual({ replies: [], code: 0, log: '' })
  })

  it.each([
    ['garbage', [Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n and so on, until the frame is full, which it is after 71 bytes')], 'not a message'],
    ['a truncated frame', [...hello, ping[0]], 'the stream ended inside a frame: 0 of 4 bytes'],
    ['a truncated size', [...hello, Uint8Array.of(0x80)], 'the stream ended inside the size of a frame'],
    ['a frame that is too large', [...hello, Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x7f)], 'more than the limit'],
    ['an endless size', [Uint8Array.of(0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80)], 'a frame does not begin with its size'],
    ['an empty request', [...hello, Uint8Array.of(0)], 'a frame is not a request'],
    ['a first request that is no greeting', [...ping], 'the first request is ping, expected hello'],
  ])('says what is wrong with %s and ends', async (_, bytes, message) => {
    const { replies, code, log } = await talk(bytes)
    expect(code).toBe(3)
    const last = replies.at(-1)!
    expect(last.id).toBe(0n)
    expect(last.body).toMatchObject({ case: 'error', value: { kind: ErrorKind.PROTOCOL, message: expect.stringContaining(message) } })
    expect(log).toContain(message)
  })
})

describe('the client', () => {
  /** A runner that answers the greeting, whatever it is, with these bytes. */
  const answering = (...parts: Uint8Array[]): readonly string[] => [
    process.execPath,
    '-e',
    `process.stdin.once('data', () => process.stdout.write(Buffer.from('${Buffer.concat(parts).toString('hex')}', 'hex'))); setTimeout(() => {}, 60000)`,
  ]
  function reply(body: Reply['body'], id = 1n): Uint8Array[] {
    const message = toBinary(ReplySchema, create(ReplySchema, { id, body }))
    expect(message.length).toBeLessThan(128)
    return [Uint8Array.of(message.length), message]
  }

  it('refuses a command that says something else', async () => {
    const error = await rejection(startRunner({ command: answering(Buffer.from('\rWelcome to this machine')) }))
    expect(error).toMatchObject({ name: 'RunnerProtocolError', code: 'RUNNER_PROTOCOL' })
    expect(error.message).toContain('near "Welcome to th"')
  })

  it('refuses another version of the protocol, and says which', async () => {
    const hello = { $typeName: 'engram.v1.HelloReply' as const, protocolVersion: 99, versions: {}, platform: '', devices: [], processId: 0n }
    const error = await rejection(startRunner({ command: answering(...reply({ case: 'hello', value: hello })), closeTimeoutMs: 50 }))
    expect(error).toMatchObject({ name: 'RunnerVersionError', clientVersion: ProtocolVersion.CURRENT, runnerVersion: 99 })
    expect(error.message).toBe(
      `the client speaks version ${ProtocolVersion.CURRENT} of the runner protocol, the runner version 99: update the client's copy of Engram (and run \`npm run setup\` there)`,
    )
  })

  it('refuses other versions of the packages', async () => {
    const versions = { python: '3.12.1', jax: '0.9.0', safetensors: 'missing' }
    const hello = { $typeName: 'engram.v1.HelloReply' as const, protocolVersion: ProtocolVersion.CURRENT, versions, platform: 'cpu', devices: [], processId: 0n }
    const error = await rejection(startRunner({ command: answering(...reply({ case: 'hello', value: hello })), closeTimeoutMs: 50 }))
    expect(error).toMatchObject({ name: 'RunnerStartError', code: 'PYTHON_PACKAGES' })
    expect(error.message).toMatchInlineSnapshot(`
      "cannot start the runner: the runner's Python 3.12.1: not installed: safetensors
      the runner's Python 3.12.1: jax is 0.9.0, pinned is 0.10.2
        fix: run \`npm run setup\` on the machine of the runner"
    `)
  })

  it('says when the process ended in the middle of a reply', async () => {
    const error = await rejection(startRunner({ command: [process.execPath, '-e', `process.stdout.write(Buffer.from([40, 8, 1]), () => process.exit(9))`] }))
    expect(error).toMatchObject({ name: 'RunnerDiedError', exitCode: 9, message: 'the runner ended with exit code 9 while starting, in the middle of a reply' })
  })

  it('gives up on a runner that does not answer', async () => {
    const error = await rejection(startRunner({ command: [process.execPath, '-e', 'setTimeout(() => {}, 60000)'], startTimeoutMs: 200, closeTimeoutMs: 50 }))
    expect(error).toMatchObject({ name: 'RunnerStartError', message: 'the runner did not answer within 0.2 s' })
  })

  it('gives up on one that reports a broken stream', async () => {
    const broken = reply({ case: 'error', value: { $typeName: 'engram.v1.Error', kind: ErrorKind.PROTOCOL, message: 'odd', status: '', origin: 0n } }, 0n)
    const error = await rejection(startRunner({ command: answering(...broken) }))
    expect(error).toMatchObject({ name: 'RunnerProtocolError', message: 'the runner could not go on: odd' })
  })
})
