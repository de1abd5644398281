// Runs a tool, keeps its last lines for the error message, and never lets it outlive the set-up.
import { spawn } from 'node:child_process'

const keptLines = 30
/** Children that are running now, so that an interrupted set-up can end them before it leaves. */
const running = new Set()
let isEnding = false

/** What a caller may ask to be told: each line the tool prints, and the process id when it starts and ends. */
export async function runTool(command, args, { cwd, env = process.env, onLine = () => {}, onPid = () => {} } = {}) {
  const child = spawn(command, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'], windowsHide: true })
  running.add(child)
  const lines = []
  const take = (stream) => {
    let rest = ''
    stream.setEncoding('utf8')
    stream.on('data', (text) => {
      const parts = (rest + text).split(/\r?\n|\r/)
      rest = parts.pop()
      for (const part of parts) {
        const line = part.trimEnd()
        if (line === '') continue
        lines.push(line)
        if (lines.length > keptLines) lines.shift()
        onLine(line)
      }
    })
    stream.on('end', () => { if (rest.trim() !== '') lines.push(rest.trimEnd()) })
  }
  take(child.stdout)
  take(child.stderr)
  if (child.pid) onPid(child.pid)
  return await new Promise((resolve) => {
    let failure
    child.on('error', (error) => {
      failure = error
      if (!child.pid) finish(null, null)
    })
    const finish = (code, signal) => {
      running.delete(child)
      // The set-up is about to leave: its steps must not go on to report a failure or to start the next tool.
      if (isEnding) return
      onPid(undefined)
      resolve({ ok: code === 0, code, signal, lines, error: failure })
    }
    child.on('close', finish)
  })
}

/** Ends every running tool and waits until they are gone (at most `graceMs` before they are killed). */
export async function endRunningTools(signal = 'SIGTERM', graceMs = 2000) {
  isEnding = true
  const children = [...running]
  await Promise.all(children.map((child) => new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve()
    const timer = setTimeout(() => child.kill('SIGKILL'), graceMs)
    child.once('exit', () => {
      clearTimeout(timer)
      resolve()
    })
    child.kill(signal)
  })))
}
