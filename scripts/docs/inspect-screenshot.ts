/**
 * `npx tsx scripts/docs/inspect-screenshot.ts RUN DOCUMENT [--token PLACE] [--out FILE]`: reads a document with a trained model as `engram inspect` does, opens the
 * page in Chromium, chooses a token (the one that gained most, if none is named) and writes what is to be seen as a PNG: the picture of
 * docs/guide/looking-inside.md. Other options go to `engram inspect`.
 */
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { chromium } from 'playwright-core'
import { browserHint, findChromium } from '../browser.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    token: { type: 'string' },
    out: { type: 'string', default: path.join(root, 'docs/guide/looking-inside.png') },
    backend: { type: 'string', default: 'cpu' },
    tokens: { type: 'string' },
  },
})
if (positionals.length !== 2) throw new Error('usage: npx tsx scripts/docs/inspect-screenshot.ts RUN DOCUMENT [--token PLACE] [--out FILE] [--tokens COUNT] [--backend NAME]')
const executablePath = findChromium()
if (executablePath === undefined) throw new Error(`there is no browser here: ${browserHint}`)

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'engram-screenshot-'))
try {
  const file = path.join(folder, 'page.html')
  const limit = values.tokens === undefined ? [] : ['--tokens', values.tokens]
  execFileSync(process.execPath, [path.join(root, 'bin/engram.mjs'), 'inspect', ...positionals, '--out', file, '--backend', values.backend, ...limit], { stdio: 'inherit' })
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'] })
  try {
    const page = await browser.newPage({ viewport: { width: 1280, height: 800 }, colorScheme: 'light' })
    await page.goto(`file://${file}${values.token === undefined ? '' : `#${values.token}`}`)
    await page.locator('.chosen').first().waitFor()
    await page.screenshot({ path: values.out })
  } finally {
    await browser.close()
  }
  process.stdout.write(`${path.relative(process.cwd(), values.out)}: ${Math.round(fs.statSync(values.out).size / 1024)} kB\n`)
} finally {
  fs.rmSync(folder, { recursive: true, force: true })
}
