import { spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { RunnerStartError } from '../../src/runner/errors.ts'
import { findPython, pinnedPackages, probePython } from '../../src/runner/python.ts'
import { startRunner } from '../../src/runner/start.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'engram-start-test-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** A Python for the probe: answers every script with these facts. */
function fakePython(name: string, version: number[], packages: Record<string, string | null>): string {
  const path = join(folder, name)
  writeFileSync(path, `#!/bin/sh\n[ "$1" = -c ] || { echo "engram_runner: cannot start" >&2; exit 4; }\necho '${JSON.stringify({ executable: '/fake/python', version, packages })}'\n`)
  chmodSync(path, 0o755)
  return path
}

async function failure(options: Parameters<typeof startRunner>[0]): Promise<RunnerStartError> {
  const error = await startRunner(options).then(
    (runner) => runner.close().then(() => expect.fail('started')),
    (caught: unknown) => caught,
  )
  expect(error).toBeInstanceOf(RunnerStartError)
  return error as RunnerStartError
}

describe('probePython', () => {
  it('finds everything in the Python of the set-up', async () => {
    const probe = await probePython()
    expect(probe.problems).toEqual([])
    expect(probe.ok).toBe(true)
    expect(probe.version).toMatch(/^3\.\d+\.\d+$/)
    for (const [name, { expected, found }] of Object.entries(probe.packages)) expect(`${name} ${found}`).toBe(`${name} ${expected}`)
    expect(Object.keys(probe.packages)).toEqual(expect.arrayContaining(['jax', 'jaxlib', 'numpy', 'protobuf', 'safetensors', 'ml_dtypes']))
  })

  it('never throws', async () => {
    writeFileSync(join(folder, 'text'), 'hello')
    for (const python of [join(folder, 'nowhere'), join(folder, 'text'), folder, '/bin/true', '/bin/false']) {
      const probe = await probePython(python)
      expect(probe.ok).toBe(false)
      expect(probe.problems).toMatchObject([{ code: 'PYTHON_NOT_FOUND', fix: expect.stringContaining('npm run setup') }])
    }
  })
})

describe('a runner that cannot be started', () => {
  const all = () => pinnedPackages()

  it('without the Python that was asked for', async () => {
    const error = await failure({ python: join(folder, 'nowhere') })
    expect(error.code).toBe('PYTHON_NOT_FOUND')
    expect(error.message.replaceAll(folder, 'FOLDER')).toMatchInlineSnapshot(`
      "cannot start the runner: FOLDER/nowhere (from option) is not a Python that runs: there is no FOLDER/nowhere
        fix: pass another Python, or run \`npm run setup\` (it needs Python 3.11 or newer on the PATH)"
    `)
  })

  it('with a Python that is too old', async () => {
    const error = await failure({ python: fakePython('old', [3, 9, 2], all()) })
    expect(error.code).toBe('PYTHON_VERSION')
    expect(error.message).toMatchInlineSnapshot(`
      "cannot start the runner: Python 3.9.2 (/fake/python) is too old, 3.11 or newer is needed
        fix: install Python 3.11 or newer, then run \`npm run setup\`"
    `)
  })

  it('without JAX, or with another one', async () => {
    const error = await failure({ python: fakePython('bare', [3, 12, 0], { ...all(), jax: null, jaxlib: null, numpy: '1.26.4' }) })
    expect(error.code).toBe('PYTHON_PACKAGES')
    expect(error.message).toMatchInlineSnapshot(`
      "cannot start the runner: /fake/python, Python 3.12.0: not installed: jax, jaxlib
      /fake/python, Python 3.12.0: numpy is 1.26.4, pinned is 2.4.6
        fix: leave the option \`python\` out and run \`npm run setup\`, or install scripts/runner/requirements.txt there"
    `)
  })

  it('with a Python that has everything but does not get there', async () => {
    const error = await startRunner({ python: fakePython('whole', [3, 12, 0], all()) }).catch((caught: unknown) => caught)
    expect(error).toMatchObject({
      name: 'RunnerDiedError',
      message: 'the runner ended with exit code 4 while starting; its last words:\n  | engram_runner: cannot start',
    })
  })

  it('without the command', async () => {
    const error = await failure({ command: [join(folder, 'nowhere'), 'x'] })
    expect(error.message.replaceAll(folder, 'FOLDER')).toMatchInlineSnapshot(`"cannot start the runner: there is no command FOLDER/nowhere"`)
  })

  it('on a platform that is not there', async () => {
    const error = await failure({ platform: 'tpu' })
    expect(error.code).toBe('RUNNER_PLATFORM')
    expect(error.message).toMatch(/^the platform tpu cannot be used: .*; a TPU needs its machine \(see `command` for ssh\) and the package libtpu$/s)
  })

  it('because the runner itself meets an old Python', () => {
    const pretend = 'import runpy, sys; sys.version_info = (3, 8, 10); runpy.run_path("scripts/runner/engram_runner/__main__.py", run_name="__main__")'
    const { status, stderr } = spawnSync(findPython().command, ['-c', pretend], { encoding: 'utf8' })
    expect(status).toBe(4)
    expect(stderr).toMatch(/^engram_runner: Python 3\.11 or newer is needed, this is 3\.8\.10 \(.*\)\n$/)
  })
})

describe('findPython', () => {
  it('prefers the option to the environment and that to the set-up', () => {
    const before = process.env.ENGRAM_PYTHON
    try {
      process.env.ENGRAM_PYTHON = '/some/python'
      expect(findPython('/other/python')).toEqual({ command: '/other/python', source: 'option' })
      expect(findPython()).toEqual({ command: '/some/python', source: 'ENGRAM_PYTHON' })
      delete process.env.ENGRAM_PYTHON
      expect(['.venv', 'PATH']).toContain(findPython().source)
    } finally {
      if (before !== undefined) process.env.ENGRAM_PYTHON = before
    }
  })
})

describe('the generated files', () => {
  it('are those of the proto file', () => {
    const { status, stdout } = spawnSync(process.execPath, ['--import', 'tsx', 'scripts/generate-protobuf.ts', '--check'], { encoding: 'utf8' })
    expect({ status, stdout }).toEqual({ status: 0, stdout: '' })
  })
})
