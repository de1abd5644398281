import fs from 'node:fs'
import path from 'node:path'

/** What to do where there is no browser. */
export const browserHint = 'install Chromium (Debian: apt-get install chromium), or set ENGRAM_CHROMIUM to the path of a Chromium or Chrome'

const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']

/** The Chromium of this machine: what `ENGRAM_CHROMIUM` names, or the first on the PATH; undefined where there is none. Throws if `ENGRAM_CHROMIUM` names no file. */
export function findChromium(env: Readonly<Record<string, string | undefined>> = process.env): string | undefined {
  if (env.ENGRAM_CHROMIUM) {
    if (!fs.existsSync(env.ENGRAM_CHROMIUM)) throw new Error(`ENGRAM_CHROMIUM is ${env.ENGRAM_CHROMIUM}, which does not exist`)
    return env.ENGRAM_CHROMIUM
  }
  const folders = (env.PATH ?? '').split(path.delimiter).filter((folder) => folder !== '')
  return names.flatMap((name) => folders.map((folder) => path.join(folder, name))).find((file) => fs.existsSync(file))
}
