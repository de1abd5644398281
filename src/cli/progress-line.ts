/** What is done so far, on stderr: one line that is written over on a terminal, otherwise a line now and then. */
export class ProgressLine {
  readonly #begin = performance.now()
  readonly #live = process.stderr.isTTY
  #shown = 0

  /** Shows `line`, unless another was shown a moment ago. */
  show(line: string): void {
    const now = performance.now()
    if (now - Math.max(this.#shown, this.#live ? 0 : this.#begin) < (this.#live ? 100 : 5000)) return
    this.#shown = now
    process.stderr.write(this.#live ? `\r\x1b[2K${line.slice(0, (process.stderr.columns ?? 80) - 1)}` : `${line}\n`)
  }

  /** Takes the line away. Gives the seconds since the beginning. */
  end(): number {
    if (this.#live) process.stderr.write('\r\x1b[2K')
    return Math.round((performance.now() - this.#begin) / 100) / 10
  }
}
