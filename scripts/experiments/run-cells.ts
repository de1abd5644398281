import type { Cell } from './cell.ts'
import { cellName, runCell } from './run-cell.ts'

/**
 * Computes cells, `workers` at once, those that others begin from before these. The first failure stops what has not begun and is thrown
 * when the rest under way has ended.
 */
export async function runCells(folder: string, cells: readonly Cell[], workers: number, say: (line: string) => void): Promise<void> {
  const tasks = new Map<string, Promise<unknown>>()
  let [free, failure] = [workers, undefined as unknown]
  const waiting: (() => void)[] = []
  const enter = async (): Promise<void> => {
    if (free > 0) free--
    else await new Promise<void>((resolve) => waiting.push(resolve))
  }
  const leave = (): void => {
    const next = waiting.shift()
    if (next) next()
    else free++
  }
  let done = 0
  const start = (cell: Cell): Promise<unknown> => {
    const name = cellName(cell)
    const known = tasks.get(name)
    if (known) return known
    const source = cell.from ? start(cell.from.cell) : undefined
    const task = (async () => {
      await source
      await enter()
      try {
        if (failure !== undefined) return
        const result = await runCell(folder, cell, say)
        say(`${++done} of ${tasks.size} cells done: ${name}, ${Object.entries(result.evaluations).map(([key, { bitsPerByte }]) => `${key} ${bitsPerByte.toFixed(4)}`).join(', ')}`)
      } catch (error) {
        failure ??= error
      } finally {
        leave()
      }
    })()
    tasks.set(name, task)
    return task
  }
  await Promise.all(cells.map(start))
  if (failure !== undefined) throw failure
}
