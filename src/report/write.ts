import { randomBytes } from 'node:crypto'
import fs from 'node:fs/promises'
import path from 'node:path'
import { InputError } from '../ir/errors.ts'
import type { Report } from './report.ts'
import { renderReport } from './render.ts'

/**
 * Writes a report as one HTML file, making its folder where needed, and answers the file's absolute path. A reader never sees
 * half a report: it is written beside its place and then moved there. Throws an InputError (`REPORT_NOT_WRITTEN`) when the
 * disk does not take it, and leaves an older report as it was.
 */
export async function writeReport(file: string, report: Report): Promise<string> {
  const target = path.resolve(file)
  const html = renderReport(report)
  const beside = path.join(path.dirname(target), `.${path.basename(target)}.${process.pid}.${randomBytes(4).toString('hex')}`)
  try {
    await fs.mkdir(path.dirname(target), { recursive: true })
    const handle = await fs.open(beside, 'wx')
    try {
      await handle.writeFile(html)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await fs.rename(beside, target)
  } catch (error) {
    await fs.rm(beside, { force: true }).catch(() => {})
    const why = error instanceof Error ? error.message : String(error)
    throw new InputError(`the report could not be written to ${target}: ${why}`, 'REPORT_NOT_WRITTEN', error)
  }
  return target
}
