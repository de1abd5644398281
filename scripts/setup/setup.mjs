// Makes a fresh clone ready: npm packages, then the Python environment. Run again, it only looks at two stamps.
//
//   node scripts/setup/setup.mjs [--tpu]
//
// With --tpu the Python environment gets libtpu too, which compiles for TPUs on a machine without one (Linux on x86-64).
// Everything it says goes to stderr, so that the program that follows owns stdout. ENGRAM_PYTHON names the Python to use.
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { endRunningTools } from './child.mjs'
import { takeLock } from './lock.mjs'
import { installNpmPackages, npmPackagesAreReady } from './npm-packages.mjs'
import { formatElapsed } from './progress.mjs'
import { makePythonEnvironment, pythonEnvironmentIsReady } from './python-environment.mjs'
import { SetupError, checkNode, projectRoot } from './root.mjs'

/** Brings everything in place, with `tpu` libtpu too; answers whether anything had to be done. Silent when there was nothing to do. */
export async function setUp(root = projectRoot, { tpu = false } = {}) {
  checkNode()
  if (npmPackagesAreReady(root) && pythonEnvironmentIsReady(root, { tpu })) return false
  const lock = await takeLock(path.join(root, '.cache', 'setup.lock'), {
    onWait: (pid) => process.stderr.write(`waiting for another set-up${pid ? ` (process ${pid})` : ''} to finish ...\n`),
  })
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP']
  const leave = async (signal) => {
    await endRunningTools()
    lock.release()
    process.stderr.write(`${process.stderr.isTTY ? '\r\u001b[2K\u001b[?25h' : ''}set-up interrupted; run it again to complete it\n`)
    process.exit(128 + { SIGINT: 2, SIGTERM: 15, SIGHUP: 1 }[signal])
  }
  for (const signal of signals) process.once(signal, leave)
  try {
    const installed = await installNpmPackages(root, { onPid: lock.setTool })
    const made = await makePythonEnvironment(root, { onPid: lock.setTool, tpu })
    return installed || made
  } finally {
    for (const signal of signals) process.off(signal, leave)
    lock.release()
  }
}

/** Runs the set-up for a command: a failure is explained on stderr and ends the process with code 1. */
export async function setUpOrExit(options) {
  try {
    return await setUp(projectRoot, options)
  } catch (error) {
    const lines = error instanceof SetupError ? error.toLines() : [`set-up failed: ${error.stack ?? error}`]
    process.stderr.write(`${lines.join('\n')}\n`)
    process.exit(1)
  }
}

if (process.argv[1] && import.meta.url === pathToFileURL(path.resolve(process.argv[1])).href) {
  const startedAt = Date.now()
  const unknown = process.argv.slice(2).find((arg) => arg !== '--tpu')
  if (unknown !== undefined) {
    process.stderr.write(`unknown argument ${unknown}\nusage: npm run setup [-- --tpu]\n`)
    process.exit(2)
  }
  const changed = await setUpOrExit({ tpu: process.argv.includes('--tpu') })
  process.stderr.write(changed ? `everything is set up (${formatElapsed(Date.now() - startedAt)})\n` : 'everything is set up already\n')
}
