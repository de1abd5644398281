// One set-up at a time: a lock file that names its holder, is kept fresh while the holder lives, and is taken over when it does not.
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'

const pollMs = 150
const heartbeatMs = 2000
/** A holder on another machine (a shared folder) cannot be asked whether it lives; this long without a heartbeat it counts as gone. */
const silentMs = 30_000

/** Whether a process of this machine is alive. */
function isAlive(pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error.code === 'EPERM'
  }
}

/** The lock's content and age, or undefined when there is none; a file without readable content has no holder yet. */
function readLock(file) {
  try {
    const text = fs.readFileSync(file, 'utf8')
    const ageMs = Date.now() - fs.statSync(file).mtimeMs
    try {
      return { text, ageMs, holder: JSON.parse(text) }
    } catch {
      return { text, ageMs, holder: undefined }
    }
  } catch (error) {
    if (error.code === 'ENOENT') return undefined
    throw error
  }
}

/** Whether nobody can be working under this lock any more. */
function isStale(lock) {
  if (lock.holder === undefined) return lock.ageMs > heartbeatMs
  if (lock.holder.host !== os.hostname()) return lock.ageMs > silentMs
  // A killed set-up may leave its npm or pip running for a moment: wait for that too, or both would write into one folder.
  if (!isAlive(lock.holder.pid)) return !(lock.holder.toolPid && isAlive(lock.holder.toolPid)) || lock.ageMs > silentMs
  // The number may belong to another process by now; a living holder keeps the file fresh.
  return lock.ageMs > silentMs
}

/** Removes a stale lock, and only that one: moving it aside is atomic, and what was moved by mistake is put back. */
function removeStale(file, staleText) {
  const aside = `${file}.${process.pid}.${Date.now()}`
  try {
    fs.renameSync(file, aside)
  } catch (error) {
    if (error.code === 'ENOENT') return
    throw error
  }
  if (fs.readFileSync(aside, 'utf8') !== staleText) {
    try {
      fs.linkSync(aside, file)
    } catch (error) {
      if (error.code !== 'EEXIST') throw error
    }
  }
  fs.rmSync(aside, { force: true })
}

/**
 * Takes the lock, waiting for a living holder; `onWait(pid)` is called once when it has to wait.
 * The answer's `setTool(pid)` notes the tool that works for the holder, `release()` gives the lock back.
 */
export async function takeLock(file, { onWait = () => {} } = {}) {
  fs.mkdirSync(path.dirname(file), { recursive: true })
  const content = (toolPid) => JSON.stringify({ pid: process.pid, host: os.hostname(), since: startedAt, ...(toolPid ? { toolPid } : {}) })
  const startedAt = new Date().toISOString()
  let waited = false
  for (;;) {
    try {
      fs.writeFileSync(file, content(), { flag: 'wx' })
      break
    } catch (error) {
      if (error.code !== 'EEXIST') throw error
    }
    const lock = readLock(file)
    if (lock === undefined) continue
    if (isStale(lock)) {
      removeStale(file, lock.text)
      continue
    }
    if (!waited) onWait(lock.holder?.pid)
    waited = true
    await new Promise((resolve) => setTimeout(resolve, pollMs))
  }
  const isMine = () => {
    const holder = readLock(file)?.holder
    return holder?.pid === process.pid && holder.since === startedAt
  }
  const heartbeat = setInterval(() => {
    try {
      if (isMine()) fs.utimesSync(file, new Date(), new Date())
    } catch { /* the folder may be gone; the work itself will say so */ }
  }, heartbeatMs)
  heartbeat.unref()
  return {
    waited,
    setTool: (toolPid) => { if (isMine()) fs.writeFileSync(file, content(toolPid)) },
    release: () => {
      clearInterval(heartbeat)
      if (isMine()) fs.rmSync(file, { force: true })
    },
  }
}
