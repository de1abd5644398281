import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const projectRoot = fileURLToPath(new URL('../..', import.meta.url))

/** Plays npm: writes down the call, then installs one package or fails as told. */
const fakeNpm = `
const fs = require('node:fs')
fs.appendFileSync(process.env.FAKE_LOG, 'npm ' + process.argv.slice(2, 4).join(' ') + '\\n')
if (process.env.FAKE_NPM_FAILURE) { console.error(process.env.FAKE_NPM_FAILURE); process.exit(1) }
fs.mkdirSync('node_modules/one', { recursive: true })
fs.writeFileSync('node_modules/one/package.json', '{}')
fs.writeFileSync('node_modules/.package-lock.json', JSON.stringify({ packages: { 'node_modules/one': { version: '1.0.0' } } }))
`

/** Plays Python: answers the probe, makes a folder like \`venv\` does, and "installs"; slow or failing as told. */
const fakePython = `#!${process.execPath}
const fs = require('node:fs')
const args = process.argv.slice(2)
const log = (text) => fs.appendFileSync(process.env.FAKE_LOG, text + '\\n')
if (args[0] === '-c') {
  console.log(process.env.FAKE_PYTHON_FACTS ?? '{"version": "3.12.4", "missing": [], "bits": 64}')
} else if (args[1] === 'venv') {
  log('venv')
  fs.mkdirSync(args[2] + '/bin', { recursive: true })
  fs.writeFileSync(args[2] + '/pyvenv.cfg', 'version = 3.12.4\\n')
  fs.copyFileSync(__filename, args[2] + '/bin/python')
  fs.chmodSync(args[2] + '/bin/python', 0o755)
} else {
  log(args.some((arg) => arg.endsWith('requirements-tpu.txt')) ? 'pip start, with libtpu' : 'pip start')
  if (process.env.FAKE_PIP_FAILURE) { console.error(process.env.FAKE_PIP_FAILURE); process.exit(1) }
  const end = () => (process.env.FAKE_PIP_UNTIL && !fs.existsSync(process.env.FAKE_PIP_UNTIL) ? setTimeout(end, 20) : log('pip end'))
  setTimeout(end, Number(process.env.FAKE_PIP_MS ?? 0))
}
`

/** How a command ended. */
export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** A checkout in a temporary folder: the real set-up scripts, and an npm and a Python that only pretend. POSIX only. */
export class FakeCheckout {
  readonly root = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'engram-setup-')))
  private readonly tools = path.join(this.root, 'tools')

  constructor() {
    fs.cpSync(path.join(projectRoot, 'scripts', 'setup'), path.join(this.root, 'scripts', 'setup'), { recursive: true })
    fs.mkdirSync(path.join(this.root, 'scripts', 'runner'), { recursive: true })
    fs.mkdirSync(this.tools)
    this.write('package.json', '{}') // the fake Python has no ending, and must be a CommonJS script
    this.write('package-lock.json', JSON.stringify({ packages: { '': {}, 'node_modules/one': { version: '1.0.0' } } }))
    this.write('scripts/runner/requirements.txt', 'jax==1.0 # comment\n')
    this.write('scripts/runner/requirements-tokenizer.txt', 'tokenizers==1.0\n')
    this.write('scripts/runner/requirements-tpu.txt', 'libtpu==1.0\n')
    this.write('tsconfig.json', '{}')
    this.write('tools/npm-cli.cjs', fakeNpm)
    this.write('tools/python', fakePython)
    fs.chmodSync(this.python, 0o755)
  }

  get python(): string {
    return path.join(this.tools, 'python')
  }

  path(name: string): string {
    return path.join(this.root, name)
  }

  write(name: string, text: string): void {
    fs.mkdirSync(path.dirname(this.path(name)), { recursive: true })
    fs.writeFileSync(this.path(name), text)
  }

  /** Puts the real tsx where the checkout looks for it. */
  linkTsx(): void {
    fs.mkdirSync(this.path('node_modules'), { recursive: true })
    fs.symlinkSync(path.join(projectRoot, 'node_modules', 'tsx'), this.path('node_modules/tsx'))
  }

  /** What the fake tools were asked to do, in order. */
  calls(): string[] {
    const file = this.path('calls.log')
    return fs.existsSync(file) ? fs.readFileSync(file, 'utf8').trim().split('\n') : []
  }

  /** Starts a script of `scripts/setup` with the fake tools. */
  start(script: string, args: readonly string[] = [], env: Record<string, string> = {}): { child: ChildProcess; ended: Promise<Ended> } {
    const child = spawn(process.execPath, [this.path(`scripts/setup/${script}`), ...args], {
      env: { PATH: process.env.PATH, npm_execpath: path.join(this.tools, 'npm-cli.cjs'), ENGRAM_PYTHON: this.python, FAKE_LOG: this.path('calls.log'), ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (text) => { stdout += text })
    child.stderr.setEncoding('utf8').on('data', (text) => { stderr += text })
    const ended = new Promise<Ended>((resolve, reject) => {
      child.on('error', reject)
      child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }))
    })
    return { child, ended }
  }

  setUp(env: Record<string, string> = {}): Promise<Ended> {
    return this.start('setup.mjs', [], env).ended
  }

  /** Waits until the fake tools have logged this line. */
  async waitForCall(line: string, count = 1): Promise<void> {
    const deadline = Date.now() + 20_000
    while (this.calls().filter((call) => call === line).length < count) {
      if (Date.now() > deadline) throw new Error(`the set-up did not come to "${line}": ${this.calls().join(', ')}`)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }

  /** Whether both stamps stand and fit. */
  isReady(): boolean {
    const lock = createHash('sha256').update(fs.readFileSync(this.path('package-lock.json'))).digest('hex')
    const npm = this.path('node_modules/.engram-setup.json')
    return fs.existsSync(npm) && fs.readFileSync(npm, 'utf8').includes(lock) && fs.existsSync(this.path('.venv/engram-setup.json'))
  }

  remove(): void {
    fs.rmSync(this.root, { recursive: true, force: true })
  }
}
