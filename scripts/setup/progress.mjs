// What the set-up says while it works: a spinner on a terminal, plain lines elsewhere; all of it on stderr.

const frames = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏']
const quietIntervalMs = 10_000

/** Formats a duration: `0.4 s`, `12 s`, `2 min 05 s`. */
export function formatElapsed(elapsedMs) {
  const seconds = elapsedMs / 1000
  if (seconds < 10) return `${seconds.toFixed(1)} s`
  if (seconds < 60) return `${Math.round(seconds)} s`
  const whole = Math.round(seconds)
  return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, '0')} s`
}

/**
 * Starts showing one step. `update(detail)` says what it is doing now, `done(note)` and `failed()` end it.
 * Without a terminal the step is one line when it starts, one when it ends, and one every ten seconds between.
 */
export function startStep(title, stream = process.stderr) {
  const startedAt = Date.now()
  const elapsed = () => formatElapsed(Date.now() - startedAt)
  let detail = ''
  let frame = 0

  if (!stream.isTTY) {
    stream.write(`${title} ...\n`)
    const timer = setInterval(() => stream.write(`  ${title}: ${elapsed()}${detail ? `, ${detail}` : ''}\n`), quietIntervalMs)
    const end = (line) => {
      clearInterval(timer)
      stream.write(`${line}\n`)
    }
    return {
      update: (text) => { detail = text },
      done: (note = '') => end(`${title}: done in ${elapsed()}${note ? `, ${note}` : ''}`),
      failed: () => end(`${title}: failed after ${elapsed()}`),
    }
  }

  const draw = () => {
    const line = `${frames[frame++ % frames.length]} ${title}  ${elapsed()}${detail ? `  ${detail}` : ''}`
    const width = (stream.columns || 80) - 1
    stream.write(`\r\u001b[2K${line.length > width ? `${line.slice(0, width - 1)}…` : line}`)
  }
  stream.write('\u001b[?25l')
  draw()
  const timer = setInterval(draw, 100)
  const end = (line) => {
    clearInterval(timer)
    stream.write(`\r\u001b[2K\u001b[?25h${line}\n`)
  }
  return {
    update: (text) => { detail = text },
    done: (note = '') => end(`✔ ${title}  ${elapsed()}${note ? `  ${note}` : ''}`),
    failed: () => end(`✖ ${title}  ${elapsed()}`),
  }
}
