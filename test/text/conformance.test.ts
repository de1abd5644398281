import { readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { catalogue } from '../../src/ops/catalogue.ts'
import { ParseError } from '../../src/text/parse-error.ts'
import { parseModule } from '../../src/text/parse.ts'
import { printModule } from '../../src/text/print.ts'
import { conformanceFolder, hasConformanceFolder } from '../support/conformance-folder.ts'

interface Case {
  readonly id: string
  readonly mode: string
  readonly expected?: readonly { readonly line: number; readonly text: string }[]
}

const textOf = ({ id }: { readonly id: string }): string => readFileSync(path.join(conformanceFolder, id), 'utf8')
const cases: readonly Case[] = hasConformanceFolder ? (JSON.parse(textOf({ id: 'manifest.json' })) as { cases: Case[] }).cases : []
const options = { allowForeignOps: true }

/** Cases that are refused elsewhere than expected, each with the reason. Take one out when it is mended. */
const refusedElsewhere: Readonly<Record<string, string>> = {
}

/** The op of an "unknown op" error, if it is one and the catalogue really lacks the op. */
function unknownOp(error: unknown): string | undefined {
  const name = error instanceof ParseError ? /^unknown op '([^']*)'/.exec(error.detail)?.[1] : undefined
  return name !== undefined && !catalogue.has(name) ? name : undefined
}

describe.runIf(hasConformanceFolder)('the conformance folder', () => {
  it('has every valid program read, printed in both forms and read back', () => {
    const wrong: string[] = []
    const unknown = new Set<string>()
    let read = 0
    for (const each of cases) {
      if (each.mode === 'verify_reject') continue
      try {
        const module = parseModule(textOf(each), options)
        const own = printModule(module)
        const generic = printModule(module, { generic: true })
        if (printModule(parseModule(own, options)) !== own) wrong.push(`${each.id}: own form does not come back`)
        if (printModule(parseModule(generic, options)) !== own) wrong.push(`${each.id}: generic form does not come back`)
        read++
      } catch (error) {
        const op = unknownOp(error)
        if (op === undefined) wrong.push(`${each.id}: ${(error as Error).message}`)
        else unknown.add(op)
      }
    }
    expect(wrong).toEqual([])
    // Forms of dialects other than StableHLO and chlo are no part of the catalogue's promise.
    expect([...unknown].filter((op) => !/^(?:stablehlo|chlo|check|interpreter|arith)\./.test(op))).toEqual([])
    expect(read).toBeGreaterThan(1500)
  })

  it('has invalid programs read, or refused at an expected line', () => {
    const wrong: string[] = []
    const known: string[] = []
    for (const each of cases) {
      if (each.mode !== 'verify_reject') continue
      try {
        parseModule(textOf(each), options)
      } catch (error) {
        if (unknownOp(error) !== undefined) continue
        if (!(error instanceof ParseError)) wrong.push(`${each.id}: ${(error as Error).stack}`)
        else if (each.expected?.some(({ line }) => line === error.line)) continue
        else if (each.id in refusedElsewhere) known.push(each.id)
        else wrong.push(`${each.id}: refused at line ${error.line}: ${error.detail}`)
      }
    }
    expect(wrong).toEqual([])
    expect(known).toEqual(Object.keys(refusedElsewhere))
  })
})
