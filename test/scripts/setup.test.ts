import fs from 'node:fs'
import { spawnSync } from 'node:child_process'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FakeCheckout } from './fake-checkout.ts'

let checkout: FakeCheckout
beforeEach(() => { checkout = new FakeCheckout() })
afterEach(() => checkout.remove())

/** There is no libtpu for other machines; the set-up says so there. */
const hasLibtpu = process.platform === 'linux' && process.arch === 'x64'
const everything = ['npm ci --ignore-scripts', 'venv', 'pip start', 'pip end']

describe('the set-up', () => {
  it('installs what is missing, says so on stderr alone, and the second time does nothing', async () => {
    const first = await checkout.setUp()
    expect(first).toMatchObject({ code: 0, stdout: '' })
    expect(first.stderr.replace(/[\d.]+ s/g, 'TIME')).toMatchInlineSnapshot(`
      "installing npm packages ...
      installing npm packages: done in TIME, 1 packages
      making a virtual environment with Python 3.12.4 ...
      making a virtual environment with Python 3.12.4: done in TIME
      installing Python packages (jax, about 100 MB to download the first time) ...
      installing Python packages (jax, about 100 MB to download the first time): done in TIME
      everything is set up (TIME)
      "
    `)
    expect(checkout.calls()).toEqual(everything)
    expect(checkout.isReady()).toBe(true)
    expect(await checkout.setUp()).toMatchObject({ code: 0, stdout: '', stderr: 'everything is set up already\n' })
    expect(checkout.calls()).toEqual(everything)
    expect(fs.readdirSync(checkout.path('.cache'))).toEqual([])
  })

  it('takes what a person has installed with npm for what it is', async () => {
    await checkout.setUp()
    fs.rmSync(checkout.path('node_modules/.engram-setup.json'))
    expect((await checkout.setUp()).stderr).toBe('everything is set up already\n')
    expect(checkout.calls()).toEqual(everything)
    expect(checkout.isReady()).toBe(true)
  })

  it('installs again when the lockfile or the requirements are others', async () => {
    await checkout.setUp()
    checkout.write('package-lock.json', JSON.stringify({ packages: { '': {}, 'node_modules/one': { version: '2.0.0' } } }))
    await checkout.setUp()
    expect(checkout.calls()).toEqual([...everything, 'npm ci --ignore-scripts'])
    checkout.write('scripts/runner/requirements.txt', 'jax==1.0\n\n# only a comment more\n')
    await checkout.setUp()
    expect(checkout.calls()).toHaveLength(5)
    checkout.write('scripts/runner/requirements.txt', 'jax==1.1\n')
    await checkout.setUp()
    expect(checkout.calls().slice(5)).toEqual(['pip start', 'pip end'])
  })

  it.runIf(hasLibtpu)('installs libtpu when it is asked for, and once', async () => {
    await checkout.setUp()
    const withTpu = () => checkout.start('setup.mjs', ['--tpu']).ended
    const first = await withTpu()
    expect(first).toMatchObject({ code: 0, stdout: '' })
    expect(first.stderr).toContain('libtpu, 700 MB when unpacked')
    expect(checkout.calls()).toEqual([...everything, 'pip start, with libtpu', 'pip end'])
    expect((await withTpu()).stderr).toBe('everything is set up already\n')
    expect((await checkout.setUp()).stderr).toBe('everything is set up already\n')
    // What others need changes: libtpu stays what it is.
    checkout.write('scripts/runner/requirements.txt', 'jax==1.1\n')
    await checkout.setUp()
    expect(checkout.calls().slice(6)).toEqual(['pip start', 'pip end'])
    expect((await withTpu()).stderr).toBe('everything is set up already\n')
    checkout.write('scripts/runner/requirements-tpu.txt', 'libtpu==1.1\n')
    expect((await checkout.setUp()).stderr).toBe('everything is set up already\n')
    await withTpu()
    expect(checkout.calls().slice(8)).toEqual(['pip start, with libtpu', 'pip end'])
    // A new environment has none.
    fs.rmSync(checkout.path('.venv'), { recursive: true })
    await checkout.setUp()
    await withTpu()
    expect(checkout.calls().slice(10)).toEqual(['venv', 'pip start', 'pip end', 'pip start, with libtpu', 'pip end'])
  })

  it('refuses arguments that it does not know', async () => {
    expect(await checkout.start('setup.mjs', ['--gpu']).ended).toMatchObject({ code: 2, stderr: 'unknown argument --gpu\nusage: npm run setup [-- --tpu]\n' })
  })

  it('makes the environment anew when its Python is gone', async () => {
    await checkout.setUp()
    fs.rmSync(checkout.path('.venv/bin/python'))
    await checkout.setUp()
    expect(checkout.calls()).toEqual([...everything, ...everything.slice(1)])
  })

  it('explains a registry that cannot be reached, with what npm said', async () => {
    const failed = await checkout.setUp({ FAKE_NPM_FAILURE: 'npm http fetch GET 200 x\nnpm error code ENOTFOUND\nnpm error network request failed' })
    expect(failed).toMatchObject({ code: 1, stdout: '' })
    expect(failed.stderr.slice(failed.stderr.indexOf('set-up failed'))).toMatchInlineSnapshot(`
      "set-up failed: npm ci ended with exit code 1

        | npm error code ENOTFOUND
        | npm error network request failed

        The npm registry could not be reached. Check the network and \`npm config get registry\`, \`npm config get proxy\`; then run this again.
        Without a network: \`npm ci --ignore-scripts --offline\` works if the packages are in the npm cache.
      "
    `)
    expect(await checkout.setUp()).toMatchObject({ code: 0 })
  })

  it('explains what pip could not do, and begins the environment anew the next time', async () => {
    const failed = await checkout.setUp({ FAKE_PIP_FAILURE: 'ERROR: Could not find a version (from versions: none)\nERROR: No matching distribution found for jax==1.0' })
    expect(failed).toMatchObject({ code: 1, stdout: '' })
    expect(failed.stderr).toContain('set-up failed: pip ended with exit code 1')
    expect(failed.stderr).toContain('  | ERROR: No matching distribution found for jax==1.0')
    expect(failed.stderr).toContain('There is no ready-made package for Python 3.12.4')
    expect(await checkout.setUp()).toMatchObject({ code: 0 })
    expect(checkout.calls().filter((call) => call === 'venv')).toHaveLength(2)
  })

  it.each([
    ['{"version": "3.9.2", "missing": [], "bits": 64}', 'Python 3.9.2 is too old (3.11 or newer is needed)'],
    ['{"version": "3.99.0", "missing": [], "bits": 64}', 'Python 3.99.0 is too new (jax has packages up to 3.14)'],
    ['{"version": "3.12.1", "missing": ["ensurepip"], "bits": 64}', 'Python 3.12.1 has no module ensurepip (Debian, Ubuntu: sudo apt-get install python3.12-venv)'],
    ['{"version": "3.12.1", "missing": [], "bits": 32}', 'Python 3.12.1 is a 32-bit program (jax needs 64 bits)'],
    ['hello', 'is not a Python'],
  ])('refuses a Python that says %s', async (facts, reason) => {
    const failed = await checkout.setUp({ FAKE_PYTHON_FACTS: facts })
    expect(failed.code).toBe(1)
    expect(failed.stderr).toContain('set-up failed: no usable Python was found')
    expect(failed.stderr).toContain(`  | ${checkout.python}: ${reason}`)
    expect(failed.stderr).toContain('sudo apt-get install python3 python3-venv')
  })

  it('says how to get a Python when there is none', async () => {
    const failed = await checkout.setUp({ ENGRAM_PYTHON: '', PATH: checkout.path('tools/none') })
    expect(failed.stderr).toContain('set-up failed: no Python was found\n  Debian, Ubuntu:')
    const named = await checkout.setUp({ ENGRAM_PYTHON: checkout.path('none') })
    expect(named.stderr).toContain(`${checkout.path('none')} (from ENGRAM_PYTHON): spawn`)
  })

  it.each(['SIGINT', 'SIGTERM', 'SIGKILL'] as const)('can be cut off by %s in the middle and completes the next time', async (signal) => {
    const { child, ended } = checkout.start('setup.mjs', [], { FAKE_PIP_MS: '3000' })
    await checkout.waitForCall('pip start')
    child.kill(signal)
    const told = { signal: null, stderr: expect.stringContaining('set-up interrupted; run it again to complete it') }
    expect(await ended).toMatchObject(signal === 'SIGKILL' ? { signal } : { ...told, code: signal === 'SIGINT' ? 130 : 143 })
    expect(checkout.isReady()).toBe(false)
    expect(await checkout.setUp()).toMatchObject({ code: 0 })
    expect(checkout.isReady()).toBe(true)
    expect(checkout.calls().filter((call) => call === 'venv')).toHaveLength(2)
    // A tool that outlived its killed set-up was waited for, so the two did not write at once.
    expect(checkout.calls().slice(-2)).toEqual(['pip start', 'pip end'])
  })

  it('runs once when it is started three times at once', async () => {
    const results = await Promise.all([1, 2, 3].map(() => checkout.setUp()))
    expect(results.map(({ code }) => code)).toEqual([0, 0, 0])
    expect(checkout.calls()).toEqual(everything)
  })

  it('waits for one that is under way, and says for whom', async () => {
    const first = checkout.start('setup.mjs', [], { FAKE_PIP_UNTIL: checkout.path('go-on') })
    await checkout.waitForCall('pip start')
    const second = checkout.start('setup.mjs')
    const said = await new Promise<string>((resolve) => second.child.stderr!.once('data', resolve))
    expect(said).toBe(`waiting for another set-up (process ${first.child.pid}) to finish ...\n`)
    checkout.write('go-on', '')
    expect([(await first.ended).code, (await second.ended).code]).toEqual([0, 0])
    expect(checkout.calls()).toEqual(everything)
  })

  it.each([
    ['of a process that is gone', JSON.stringify({ pid: deadProcess(), host: hostName(), since: 'x' })],
    ['of a living process that is not a set-up any more', JSON.stringify({ pid: process.pid, host: hostName(), since: 'x' }), 60],
    ['of another machine without a sign of life', JSON.stringify({ pid: 1, host: 'elsewhere', since: 'x' }), 60],
    ['that is only half written', '{"pid": 1', 60],
  ])('takes over a lock %s', async (_whose, text, ageSeconds = 0) => {
    checkout.write('.cache/setup.lock', text)
    const written = Date.now() / 1000 - ageSeconds
    fs.utimesSync(checkout.path('.cache/setup.lock'), written, written)
    expect(await checkout.setUp()).toMatchObject({ code: 0 })
    expect(fs.existsSync(checkout.path('.cache/setup.lock'))).toBe(false)
  })
})

/** The number of a process that has ended. */
function deadProcess(): number {
  return spawnSync(process.execPath, ['-e', '']).pid
}

function hostName(): string {
  return spawnSync(process.execPath, ['-p', 'require("os").hostname()'], { encoding: 'utf8' }).stdout.trim()
}

describe('with-setup', () => {
  beforeEach(async () => {
    await checkout.setUp()
    checkout.linkTsx()
  })

  it('runs a TypeScript script with its arguments and hands on its exit code; stdout is the script\'s alone', async () => {
    checkout.write('scripts/hello.ts', 'const args: string[] = process.argv.slice(2)\nconsole.log(JSON.stringify(args))\nprocess.exitCode = 7\nexport {}')
    const ended = await checkout.start('with-setup.mjs', ['scripts/hello.ts', '--json', 'a b']).ended
    expect(ended).toEqual({ code: 7, signal: null, stdout: '["--json","a b"]\n', stderr: '' })
  })

  it('sets up first, with its own words on stderr', async () => {
    fs.rmSync(checkout.path('.venv'), { recursive: true })
    checkout.write('scripts/hello.ts', 'console.log("hello")')
    const ended = await checkout.start('with-setup.mjs', ['scripts/hello.ts']).ended
    expect(ended).toMatchObject({ code: 0, stdout: 'hello\n' })
    expect(ended.stderr).toContain('making a virtual environment')
  })

  it.runIf(hasLibtpu)('--tpu asks for libtpu', async () => {
    checkout.write('scripts/hello.ts', 'console.log(process.argv.length)')
    expect(await checkout.start('with-setup.mjs', ['--tpu', 'scripts/hello.ts', 'a']).ended).toMatchObject({ code: 0, stdout: '3\n' })
    expect(checkout.calls()).toContain('pip start, with libtpu')
  })

  it('does not run the script when the set-up fails', async () => {
    fs.rmSync(checkout.path('.venv'), { recursive: true })
    checkout.write('scripts/hello.ts', 'console.log("hello")')
    const ended = await checkout.start('with-setup.mjs', ['scripts/hello.ts'], { FAKE_PIP_FAILURE: 'no' }).ended
    expect(ended).toMatchObject({ code: 1, stdout: '' })
  })

  it.each(['SIGINT', 'SIGTERM'] as const)('hands %s on, so that a script can save its state', async (signal) => {
    checkout.write('scripts/wait.ts', `
      process.once('${signal}', () => { console.log('saved'); process.exit(3) })
      setTimeout(() => {}, 60_000)
      console.log('ready')`)
    const { child, ended } = checkout.start('with-setup.mjs', ['scripts/wait.ts'])
    await new Promise((resolve) => child.stdout!.once('data', resolve))
    child.kill(signal)
    expect(await ended).toMatchObject({ code: 3, stdout: 'ready\nsaved\n' })
  })

  it('ends by the signal that ended the script', async () => {
    checkout.write('scripts/die.ts', "process.kill(process.pid, 'SIGKILL')")
    expect(await checkout.start('with-setup.mjs', ['scripts/die.ts']).ended).toMatchObject({ signal: 'SIGKILL' })
  })

  it('says how it is used', async () => {
    expect(await checkout.start('with-setup.mjs').ended).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('usage:') })
  })
})
