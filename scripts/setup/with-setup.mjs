// Runs a TypeScript script of this repository after the set-up: `node scripts/setup/with-setup.mjs [--tpu] SCRIPT.ts ARGS...`
// With --tpu the set-up installs libtpu too, where there is one for this kind of machine.
// stdout belongs to the script alone; when everything is in place, nothing is said on stderr either.
import { spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { projectRoot } from './root.mjs'
import { libtpuExistsHere } from './python-environment.mjs'
import { setUpOrExit } from './setup.mjs'

const wantsTpu = process.argv[2] === '--tpu'
const [script, ...args] = process.argv.slice(wantsTpu ? 3 : 2)
if (script === undefined) {
  process.stderr.write('usage: node scripts/setup/with-setup.mjs [--tpu] SCRIPT.ts ARGS...\n')
  process.exit(2)
}
await setUpOrExit({ tpu: wantsTpu && libtpuExistsHere() })

// `--import tsx` alone would be looked up from the current folder, which may be any.
const loader = pathToFileURL(createRequire(path.join(projectRoot, 'package.json')).resolve('tsx')).href
const child = spawn(process.execPath, ['--import', loader, path.resolve(projectRoot, script), ...args], {
  stdio: 'inherit',
  env: { ...process.env, TSX_TSCONFIG_PATH: path.join(projectRoot, 'tsconfig.json') },
})

// Ctrl-C in a terminal reaches the child by itself; handing it on would deliver it twice, and a second Ctrl-C means "at once".
const isTerminal = [process.stdin, process.stdout, process.stderr].some((stream) => stream.isTTY)
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT']) {
  process.on(signal, () => { if (signal === 'SIGTERM' || !isTerminal) child.kill(signal) })
}
child.on('error', (error) => {
  process.stderr.write(`${script} could not be started: ${error.message}\n`)
  process.exit(1)
})
child.on('exit', (code, signal) => {
  if (signal === null) process.exit(code)
  process.removeAllListeners(signal)
  process.kill(process.pid, signal)
})
