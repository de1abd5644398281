import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { findPython } from '../../src/runner/python.ts'

/** The plain-JAX peer; see its own `--help`. */
export const peerScript = fileURLToPath(new URL('./peers/plain_jax.py', import.meta.url))

/** Runs the peer and gives the JSON that it prints. */
export async function runPeer(args: readonly string[]): Promise<Record<string, number>> {
  const { stdout } = await execa(findPython().command, [peerScript, ...args])
  return JSON.parse(stdout) as Record<string, number>
}

/** Runs a TypeScript file beside this one in a fresh Node process and gives the JSON that it prints. */
export async function runScript(file: string, args: readonly string[]): Promise<Record<string, number>> {
  const { stdout } = await execa(process.execPath, ['--import', 'tsx', fileURLToPath(new URL(file, import.meta.url)), ...args])
  return JSON.parse(stdout) as Record<string, number>
}
