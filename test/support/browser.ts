import fs from 'node:fs'
import type { Browser } from 'playwright-core'
import { describe } from 'vitest'
import { findChromium } from '../../scripts/browser.ts'

const chromium = findChromium()

/**
 * Tests that open pages in a browser: wherever there is one. Where there is none they are skipped, which vitest counts and `npm test` says in its last
 * lines, with how to get one; `.ci/run` installs it.
 */
export const describeBrowser = chromium === undefined ? describe.skip : describe

/** Starts Chromium without a window. */
export async function launchChromium(): Promise<Browser> {
  const { chromium: browsers } = await import('playwright-core')
  return browsers.launch({ executablePath: chromium, args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'] })
}

/** What a page has said that it should not, and what it has asked for beside itself. */
export interface PageFaults {
  readonly errors: string[]
  readonly requests: string[]
}

/** Opens a file with a viewport of some size; `faults` grow as the page goes wrong. */
export async function openFile(browser: Browser, file: string, viewport = { width: 1280, height: 800 }, colorScheme: 'light' | 'dark' = 'light') {
  const page = await browser.newPage({ viewport, colorScheme })
  const faults: PageFaults = { errors: [], requests: [] }
  page.on('console', (message) => { if (['error', 'warning'].includes(message.type())) faults.errors.push(message.text()) })
  page.on('pageerror', (error) => faults.errors.push(error.message))
  const address = `file://${fs.realpathSync(file)}`
  page.on('request', (request) => { if (request.url().split('#')[0] !== address) faults.requests.push(request.url()) })
  await page.goto(address)
  return { page, faults }
}
