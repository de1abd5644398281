// The Python side: a virtual environment `.venv` that holds the packages of scripts/runner/requirements.txt, the trainer of tokenizers and,
// when asked for, libtpu.
import { createHash } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import { SetupError } from './root.mjs'
import { runTool } from './child.mjs'
import { startStep } from './progress.mjs'
import { findPython } from './find-python.mjs'

const stampName = 'engram-setup.json'

/** The folder of the virtual environment. */
export const environmentFolder = (root) => path.join(root, '.venv')

/** The Python inside the virtual environment. */
export function environmentPython(root) {
  return process.platform === 'win32' ? path.join(environmentFolder(root), 'Scripts', 'python.exe') : path.join(environmentFolder(root), 'bin', 'python')
}

const requirementsFile = (root, name) => path.join(root, 'scripts', 'runner', name)
/** What every set-up installs. The files name all that is needed, so that pip looks for nothing by itself. */
const commonFiles = ['requirements.txt', 'requirements-tokenizer.txt']
/** What only compiling for TPUs needs. */
const tpuFile = 'requirements-tpu.txt'

/** Whether libtpu exists for this kind of machine. */
export const libtpuExistsHere = () => process.platform === 'linux' && process.arch === 'x64'

/** Hash of what requirements files ask for; comments and blank lines do not count. */
function requirementsHash(root, names) {
  const lines = names.flatMap((name) => fs.readFileSync(requirementsFile(root, name), 'utf8').split(/\r?\n/).map((line) => line.replace(/(^|\s)#.*$/, '').trim()))
  return createHash('sha256').update(lines.filter((line) => line !== '').join('\n')).digest('hex')
}

/** What an earlier set-up left, if it came to its end and its Python is still there. */
function readStamp(root) {
  try {
    const stamp = JSON.parse(fs.readFileSync(path.join(environmentFolder(root), stampName), 'utf8'))
    // bin/python is a link to the Python it was made from: after an upgrade or removal of that one it leads nowhere.
    fs.accessSync(fs.realpathSync(environmentPython(root)), fs.constants.X_OK)
    const config = fs.readFileSync(path.join(environmentFolder(root), 'pyvenv.cfg'), 'utf8')
    const version = /^version(?:_info)?\s*=\s*(\d+\.\d+\.\d+)/m.exec(config)?.[1]
    return stamp.python === version ? stamp : undefined
  } catch {
    return undefined
  }
}

const isWantedPython = (stamp) => !process.env.ENGRAM_PYTHON || process.env.ENGRAM_PYTHON === stamp.requested

/**
 * Whether the environment is complete, fits the requirements files and is made from the Python that was asked for; with `tpu`, whether it has
 * the pinned libtpu too. One that has it is as ready for those who do not need it.
 */
export function pythonEnvironmentIsReady(root, { tpu = false } = {}) {
  const stamp = readStamp(root)
  if (tpu && stamp?.tpu !== requirementsHash(root, [tpuFile])) return false
  return stamp !== undefined && stamp.folder === environmentFolder(root) && stamp.requirements === requirementsHash(root, commonFiles) && isWantedPython(stamp)
}

function pipAdvice({ lines }, python) {
  const text = lines.join('\n')
  if (/No space left|ENOSPC/.test(text)) return ['The disk is full: the Python packages need about 1 GB. Make room and run this again.']
  if (/Failed to establish|NewConnectionError|Name or service|Temporary failure|timed out|ProxyError|SSLError|CERTIFICATE|Connection/i.test(text)) {
    return [
      'The Python package index could not be reached. Check the network and `python3 -m pip config list` (index-url, proxy, cert); then run this again.',
      'Without a network: put the wheels of scripts/runner/requirements*.txt into a folder and set PIP_FIND_LINKS=FOLDER PIP_NO_INDEX=1.',
    ]
  }
  if (/No matching distribution|from versions/.test(text)) {
    return [
      `There is no ready-made package for Python ${python.version} on ${process.platform}/${process.arch}, or the package index was not reached or does not have it.`,
      'Try another Python from 3.11 to 3.14: ENGRAM_PYTHON=/path/to/python3 npm run setup',
    ]
  }
  return ['See what pip says above; then run this again.']
}

/** Makes or completes the virtual environment, with `tpu` with libtpu; answers whether it had to. */
export async function makePythonEnvironment(root, { onPid, tpu = false } = {}) {
  if (tpu && !libtpuExistsHere()) {
    throw new SetupError(`there is no libtpu for ${process.platform}-${process.arch}`, [
      'It exists for Linux on x86-64 processors alone. Everything but compiling for TPUs works without it: `npm run setup`.',
    ])
  }
  if (pythonEnvironmentIsReady(root, { tpu })) return false
  const folder = environmentFolder(root)
  const stampFile = path.join(folder, stampName)
  const stamp = readStamp(root)
  let python
  const canUpdate = stamp !== undefined && stamp.folder === folder && isWantedPython(stamp)
  // The stamp is written last, so that an interrupted run is seen as such and begins anew.
  fs.rmSync(stampFile, { force: true })
  if (canUpdate) {
    python = { version: stamp.python, requested: stamp.requested }
  } else {
    python = await findPython({ onPid })
    const step = startStep(`making a virtual environment with Python ${python.version}`)
    fs.rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
    const made = await runTool(python.command, [...python.prefix, '-m', 'venv', folder], { cwd: root, env: cleanEnvironment(), onPid })
    if (!made.ok) {
      step.failed()
      throw new SetupError(`${python.command} could not make a virtual environment in .venv`, ['See what it says above; then run this again.'], made.lines.slice(-12))
    }
    step.done()
  }

  const step = startStep(`installing Python packages (jax, about 100 MB to download the first time${tpu ? '; libtpu, 700 MB when unpacked' : ''})`)
  const files = [...commonFiles, ...(tpu ? [tpuFile] : [])].map((name) => requirementsFile(root, name))
  const flags = ['install', '--no-deps', '--no-input', '--disable-pip-version-check', '--only-binary', ':all:', '--progress-bar', 'off', ...files.flatMap((file) => ['-r', file])]
  const installed = await runTool(environmentPython(root), ['-m', 'pip', ...flags], {
    cwd: root,
    env: cleanEnvironment(),
    onPid,
    onLine: (line) => {
      const doing = /^\s*(Collecting|Downloading|Using cached|Processing|Installing collected packages)[: ]*(\S+)?/.exec(line)
      if (doing) step.update(doing[1].startsWith('Installing') ? 'unpacking' : `${doing[1].toLowerCase()} ${path.basename(doing[2] ?? '')}`)
    },
  })
  if (!installed.ok) {
    step.failed()
    throw new SetupError(`pip ended with ${installed.signal ?? `exit code ${installed.code}`}`, pipAdvice(installed, python), installed.lines.slice(-12))
  }
  // An environment that is only brought up to date keeps the libtpu that it has.
  const libtpu = tpu ? requirementsHash(root, [tpuFile]) : canUpdate ? stamp.tpu : undefined
  const content = { requirements: requirementsHash(root, commonFiles), tpu: libtpu, python: python.version, requested: python.requested, folder }
  fs.writeFileSync(`${stampFile}.new`, `${JSON.stringify(content)}\n`)
  fs.renameSync(`${stampFile}.new`, stampFile)
  step.done()
  return true
}

/** The environment without what would make this Python look into another one. */
function cleanEnvironment() {
  const { PYTHONHOME: _home, PYTHONPATH: _path, VIRTUAL_ENV: _venv, __PYVENV_LAUNCHER__: _launcher, PIP_USER: _user, PIP_TARGET: _target, ...rest } = process.env
  return { ...rest, PYTHONNOUSERSITE: '1', PYTHONUNBUFFERED: '1' }
}
