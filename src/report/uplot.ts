import fs from 'node:fs'
import { createRequire } from 'node:module'

/** uPlot's script and style as text, to be put into a page; its licence (MIT) asks that its notice goes with it. */
export interface UplotSources {
  readonly script: string
  readonly style: string
}

let sources: UplotSources | undefined

/** Reads uPlot from where npm has put it. */
export function readUplot(): UplotSources {
  if (sources !== undefined) return sources
  const require = createRequire(import.meta.url)
  const read = (file: string) => fs.readFileSync(require.resolve(`uplot/${file}`), 'utf8').trim()
  const notice = read('LICENSE').replaceAll('*/', '* /')
  const script = `/*! uPlot ${(JSON.parse(read('package.json')) as { version: string }).version}\n${notice}\n*/\n${read('dist/uPlot.iife.min.js')}`
  sources = { script: script.replace(/<(?=\/script|!--)/gi, '\\x3c'), style: read('dist/uPlot.min.css').replace(/<(?=\/style)/gi, '\\3c ') }
  return sources
}
