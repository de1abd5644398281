import { execFile } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))

export interface ChildResult {
  readonly status: number
  /** Without colours. */
  readonly output: string
}

/** A folder of test files that vitest runs in a process of its own, with `engram` from this checkout. */
export class TestFolder {
  readonly path: string

  constructor(name: string) {
    this.path = path.join(root, '.cache', `${name}-${process.pid}`)
    this.remove()
    this.write('vitest.config.ts', `import config from '${root}vitest.config.ts'\nexport default { ...config, cacheDir: '.vite', test: { include: ['**/*.test.ts'], maxWorkers: 1, testTimeout: 120_000 } }\n`)
  }

  write(name: string, text: string): void {
    const file = path.join(this.path, name)
    fs.mkdirSync(path.dirname(file), { recursive: true })
    fs.writeFileSync(file, text)
  }

  read(name: string): string {
    return fs.readFileSync(path.join(this.path, name), 'utf8')
  }

  /** All files below `folder`, in order. */
  list(folder: string): string[] {
    const below = path.join(this.path, folder)
    return fs.existsSync(below) ? (fs.readdirSync(below, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).map((entry) => entry.name).sort()) : []
  }

  /** Runs `vitest run` with more arguments; `ci` sets the variable that CI machines set. */
  run(args: readonly string[] = [], { ci = false } = {}): Promise<ChildResult> {
    const { CI: _, ...env } = process.env
    const command = [path.join(root, 'node_modules/vitest/vitest.mjs'), 'run', '--root', this.path, '--config', path.join(this.path, 'vitest.config.ts'), '--reporter', 'default', ...args]
    return new Promise((resolve) =>
      execFile(process.execPath, command, { cwd: this.path, env: { ...(ci ? { ...env, CI: 'true' } : env), NO_COLOR: '1', FORCE_COLOR: undefined }, maxBuffer: 2 ** 26 }, (error, stdout, stderr) =>
        resolve({ status: error ? Number(error.code ?? 1) : 0, output: `${stdout}${stderr}` })))
  }

  remove(): void {
    fs.rmSync(this.path, { recursive: true, force: true })
  }
}
