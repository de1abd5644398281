import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Report } from '../../src/report/report.ts'
import { renderReport } from '../../src/report/render.ts'
import { writeReport } from '../../src/report/write.ts'

const report: Report = { title: 'Written', sections: [], generated: { date: '2026-01-01', versions: {}, command: 'x', seeds: [] } }
let folder: string
beforeEach(() => { folder = fs.mkdtempSync(path.join(os.tmpdir(), 'engram-report-')) })
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }))

describe('writeReport', () => {
  it('makes the folder, writes the page and leaves nothing else', async () => {
    const file = path.join(folder, 'a', 'b', 'report.html')
    expect(await writeReport(file, report)).toBe(file)
    expect(fs.readFileSync(file, 'utf8')).toBe(renderReport(report))
    expect(fs.readdirSync(path.dirname(file))).toEqual(['report.html'])
  })

  it('takes the place of an older report', async () => {
    const file = path.join(folder, 'report.html')
    fs.writeFileSync(file, 'old')
    await writeReport(file, report)
    expect(fs.readFileSync(file, 'utf8')).toContain('Written')
  })

  it('writes two reports to one place at once without mixing them', async () => {
    const file = path.join(folder, 'report.html')
    const reports = ['one', 'two', 'three'].map((title) => ({ ...report, title }))
    await Promise.all(reports.map((each) => writeReport(file, each)))
    expect(reports.map(renderReport)).toContain(fs.readFileSync(file, 'utf8'))
    expect(fs.readdirSync(folder)).toEqual(['report.html'])
  })

  it('says where it could not be written, and leaves no half of it', async () => {
    const blocked = path.join(folder, 'report.html')
    fs.mkdirSync(path.join(blocked, 'full'), { recursive: true })
    await expect(writeReport(blocked, report)).rejects.toMatchObject({
      name: 'InputError', code: 'REPORT_NOT_WRITTEN', message: expect.stringContaining(`the report could not be written to ${blocked}`),
    })
    expect(fs.readdirSync(folder)).toEqual(['report.html'])
  })
})
