// Finds a Python that can carry the runner: 3.11 to 3.14, with the modules that make a virtual environment.
import { SetupError } from './root.mjs'
import { runTool } from './child.mjs'

const oldest = 11
/** The newest 3.x with ready-made packages of the pinned jaxlib and numpy. */
const newest = 14

const probe = [
  'import json, sys',
  'missing = []',
  'for name in ("venv", "ensurepip"):',
  '    try: __import__(name)',
  '    except ImportError: missing.append(name)',
  'print(json.dumps({"version": "%d.%d.%d" % sys.version_info[:3], "missing": missing, "bits": sys.maxsize.bit_length() + 1}))',
].join('\n')

function candidates() {
  if (process.env.ENGRAM_PYTHON) return [[process.env.ENGRAM_PYTHON]]
  const numbered = []
  for (let minor = oldest; minor <= newest; minor++) numbered.push([`python3.${minor}`])
  return process.platform === 'win32' ? [['py', '-3'], ['python'], ['python3']] : [['python3'], ...numbered, ['python']]
}

const howToGet = [
  'Debian, Ubuntu:  sudo apt-get install python3 python3-venv',
  'macOS:           brew install python@3.13',
  'Windows:         winget install Python.Python.3.13',
  'anywhere:        https://www.python.org/downloads/, or `uv python install 3.13`, `pyenv install 3.13`',
  'A Python that is not on the PATH: ENGRAM_PYTHON=/path/to/python3 npm run setup',
]

/** Why this Python cannot be used, or undefined when it can. */
export function whyNot({ version, missing, bits }) {
  const [major, minor] = version.split('.').map(Number)
  if (major !== 3 || minor < oldest) return `Python ${version} is too old (3.${oldest} or newer is needed)`
  if (minor > newest) return `Python ${version} is too new (jax has packages up to 3.${newest})`
  if (bits !== 64) return `Python ${version} is a ${bits}-bit program (jax needs 64 bits)`
  if (missing.length > 0) return `Python ${version} has no module ${missing.join(' and ')} (Debian, Ubuntu: sudo apt-get install python${major}.${minor}-venv)`
  return undefined
}

/** The first usable Python: `{ command, prefix, version, requested }`; throws a SetupError that says what was found instead. */
export async function findPython({ onPid } = {}) {
  const found = []
  for (const [command, ...prefix] of candidates()) {
    const answer = await runTool(command, [...prefix, '-c', probe], { onPid })
    const named = [command, ...prefix].join(' ')
    if (!answer.ok) {
      if (process.env.ENGRAM_PYTHON) found.push(`${named} (from ENGRAM_PYTHON): ${answer.error?.message ?? answer.lines.at(-1) ?? 'does not run'}`)
      continue
    }
    try {
      const facts = JSON.parse(answer.lines.at(-1))
      const reason = whyNot(facts)
      if (reason === undefined) return { command, prefix, version: facts.version, requested: process.env.ENGRAM_PYTHON ?? null }
      found.push(`${named}: ${reason}`)
    } catch {
      found.push(`${named}: is not a Python`)
    }
  }
  throw new SetupError(found.length === 0 ? 'no Python was found' : 'no usable Python was found', howToGet, found)
}
