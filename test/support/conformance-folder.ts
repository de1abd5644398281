import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import path from 'node:path'

/**
 * Programs that the OpenXLA project wrote, one case a file, with a manifest. They are no part of this repository: they are read where
 * `ENGRAM_CONFORMANCE` says, or beside the checkout in `shared/conformance`.
 */
export const conformanceFolder = process.env.ENGRAM_CONFORMANCE ?? fileURLToPath(new URL('../../../shared/conformance', import.meta.url))

export const hasConformanceFolder = existsSync(path.join(conformanceFolder, 'manifest.json'))
if (process.env.ENGRAM_CONFORMANCE !== undefined && !hasConformanceFolder)
  throw new Error(`ENGRAM_CONFORMANCE is ${conformanceFolder}, where there is no manifest.json`)
