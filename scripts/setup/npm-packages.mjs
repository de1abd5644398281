// The npm packages: installed by `npm ci --ignore-scripts` when they are missing or are not those of package-lock.json.
import { createHash } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import { SetupError } from './root.mjs'
import { runTool } from './child.mjs'
import { startStep } from './progress.mjs'

const stampName = '.engram-setup.json'

/** Reads a JSON file; undefined when it is missing or not JSON. */
function readJson(file) {
  try {
    return JSON.parse(fs.readFileSync(file, 'utf8'))
  } catch {
    return undefined
  }
}

/** Hash of package-lock.json, or undefined in an installed package, which has none and whose packages npm has put in place. */
function lockHash(root) {
  try {
    return createHash('sha256').update(fs.readFileSync(path.join(root, 'package-lock.json'))).digest('hex')
  } catch (error) {
    if (error.code === 'ENOENT') return undefined
    throw error
  }
}

const writeStamp = (root, hash) => fs.writeFileSync(path.join(root, 'node_modules', stampName), `${JSON.stringify({ lock: hash })}\n`)

/** Whether the packages in place are those of the lockfile, by the stamp of an earlier set-up. */
export function npmPackagesAreReady(root) {
  const hash = lockHash(root)
  return hash === undefined || readJson(path.join(root, 'node_modules', stampName))?.lock === hash
}

/**
 * Whether a person's own `npm install` or `npm ci` has put in place exactly what the lockfile says.
 * npm writes `node_modules/.package-lock.json` when it is done; of the optional packages only this machine's binaries must be there.
 */
function matchesLockfile(root) {
  const wanted = readJson(path.join(root, 'package-lock.json'))?.packages
  const present = readJson(path.join(root, 'node_modules', '.package-lock.json'))?.packages
  if (!wanted || !present) return false
  const isForThisMachine = ({ os = [], cpu = [] }) => os.includes(process.platform) && cpu.includes(process.arch)
  for (const [where, entry] of Object.entries(wanted)) {
    if (where === '' || entry.link) continue
    const found = present[where]
    const mayBeMissing = entry.optional && (!isForThisMachine(entry) || entry.libc !== undefined)
    if (found === undefined && mayBeMissing) continue
    if (found?.version !== entry.version || !fs.existsSync(path.join(root, where, 'package.json'))) return false
  }
  return Object.keys(present).every((where) => where in wanted)
}

/** The command that starts npm: the very npm that runs us, if one does. */
function npmCommand() {
  const running = process.env.npm_execpath
  if (running && /npm-cli\.[cm]?js$/.test(running)) return [process.execPath, running]
  const beside = path.join(path.dirname(process.execPath), 'node_modules', 'npm', 'bin', 'npm-cli.js')
  if (process.platform === 'win32' && fs.existsSync(beside)) return [process.execPath, beside]
  return ['npm']
}

const networkSigns = /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|ENOTCACHED|network|socket hang up|certificate/i

function advice({ lines, error }) {
  const text = lines.join('\n')
  if (error?.code === 'ENOENT') return ['npm was not found: it comes with Node (https://nodejs.org); on Debian also `apt-get install npm`.']
  if (/ENOSPC/.test(text)) return ['The disk is full: make room and run this again.']
  if (/EACCES|EPERM/.test(text)) return ['npm may not write here: check who owns this folder and the npm cache (`npm config get cache`).']
  if (/EUSAGE|in sync/.test(text)) return ['package-lock.json does not fit package.json: run `npm install --ignore-scripts` and try again.']
  if (networkSigns.test(text)) {
    return [
      'The npm registry could not be reached. Check the network and `npm config get registry`, `npm config get proxy`; then run this again.',
      'Without a network: `npm ci --ignore-scripts --offline` works if the packages are in the npm cache.',
    ]
  }
  return ['See what npm says above; `npm ci --ignore-scripts` by hand shows all of it. Then run this again.']
}

/** Installs the npm packages if they are not there yet; answers whether it had to. */
export async function installNpmPackages(root, { onPid } = {}) {
  if (npmPackagesAreReady(root)) return false
  const hash = lockHash(root)
  if (matchesLockfile(root)) {
    writeStamp(root, hash)
    return false
  }
  const step = startStep('installing npm packages')
  // `npm ci` may be cut off while it empties the folder: what says "complete" has to go first.
  for (const name of [stampName, '.package-lock.json']) fs.rmSync(path.join(root, 'node_modules', name), { force: true })
  const [command, ...prefix] = npmCommand()
  // The flags overrule what an outer `npm run -s` or NODE_ENV=production leaves in the environment.
  const flags = ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--include=dev', '--include=optional', '--loglevel=http', '--no-progress']
  const result = await runTool(command, [...prefix, ...flags], {
    cwd: root,
    onPid,
    onLine: (line) => {
      const fetched = /^npm http (?:fetch|cache) (?:GET \d+ )?(\S+)/.exec(line)
      if (fetched) step.update(fetched[1].split('/').slice(-1)[0])
    },
  })
  if (!result.ok) {
    step.failed()
    const said = result.lines.filter((line) => !/^npm (?:http|error +at) /.test(line))
    const what = result.error?.code === 'ENOENT' ? 'npm could not be started' : `npm ci ended with ${result.signal ?? `exit code ${result.code}`}`
    throw new SetupError(what, advice(result), said.slice(-15))
  }
  writeStamp(root, hash)
  const count = Object.keys(readJson(path.join(root, 'node_modules', '.package-lock.json'))?.packages ?? {}).length
  step.done(`${count} packages`)
  return true
}
