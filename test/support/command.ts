import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const script = fileURLToPath(new URL('../../bin/engram.mjs', import.meta.url))

export interface CommandResult {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface CommandOptions {
  readonly cwd: string
  readonly env?: Readonly<Record<string, string>>
  /** Gets what was written to stdout so far, whenever there is more. */
  readonly watch?: (stdout: string, child: ChildProcess) => void
  /** Gets the process when it has been started, as the leader of a process group of its own, so that the whole group can be killed. */
  readonly asGroup?: (child: ChildProcess) => void
}

/** Runs the `engram` command as a user does. */
export function engram(args: readonly string[], { cwd, env, watch, asGroup }: CommandOptions): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [script, ...args], { cwd, env: { ...process.env, ...env, NO_COLOR: '1' }, stdio: ['ignore', 'pipe', 'pipe'], detached: asGroup !== undefined })
    asGroup?.(child)
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text
      watch?.(stdout, child)
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => { stderr += text })
    child.on('error', reject)
    child.on('close', (status) => resolve({ status, stdout, stderr }))
  })
}
