import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { checkImports, houseRules, parseImports } from './import-rules.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

function readSources(): Map<string, string> {
  const folder = path.join(root, 'src')
  const files = fs.readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((file) => file.replaceAll(path.sep, '/'))
  return new Map(files.filter((file) => file.endsWith('.ts')).sort().map((file) => [file, fs.readFileSync(path.join(folder, file), 'utf8')]))
}

/** Checks files that exist in this test alone. */
const check = (files: Record<string, string>) => checkImports(new Map(Object.entries(files)), ['zod', '@bufbuild/protobuf'])

describe('the source', () => {
  it('keeps the import rules', () => {
    const { dependencies } = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8')) as { dependencies: Record<string, string> }
    const sources = readSources()
    expect(sources.size).toBeGreaterThan(5)
    expect([...sources.values()].flatMap(parseImports).length).toBeGreaterThan(5)
    expect(checkImports(sources, Object.keys(dependencies))).toEqual([])
  })

  it('is in rooms whose table has no rule for a room that does not exist', () => {
    const named = Object.values(houseRules).flatMap((rule) => [...rule.rooms, ...(rule.types ?? [])])
    expect(named.filter((room) => houseRules[room] === undefined)).toEqual([])
  })

  it('has a table that no two rooms can use to import each other', () => {
    const rooms = Object.keys(houseRules)
    const mutual = rooms.flatMap((a) => houseRules[a].rooms.filter((b) => houseRules[b].rooms.includes(a)).map((b) => `${a} and ${b}`))
    expect(mutual).toEqual([])
  })
})

describe('parseImports', () => {
  it('finds every form of import, with its line', () => {
    const source = [
      "import { a } from './a.ts'",
      "import type { B } from './b.ts'",
      'import {',
      '  c,',
      '  type D,',
      "} from './c.ts'",
      "import './d.ts'",
      "export * from './e.ts'",
      "export type { F } from './f.ts'",
      "export { g } from \"./g.ts\"",
      "  const late = await import('./h.ts')",
      "import type from './i.ts'",
    ].join('\n')
    expect(parseImports(source).map(({ specifier, line, kind }) => `${line} ${kind} ${specifier}`)).toEqual([
      '1 value ./a.ts', '2 type ./b.ts', '6 value ./c.ts', '7 value ./d.ts', '8 value ./e.ts', '9 type ./f.ts', '10 value ./g.ts',
      '11 dynamic ./h.ts', '12 value ./i.ts',
    ])
  })

  it('passes over comments and over code that only looks like an import', () => {
    const source = [
      '/**',
      " * import { a } from './a.ts'",
      "import { b } from './b.ts'",
      ' */',
      "// import { c } from './c.ts'",
      "// await import('./d.ts')",
      "export const text = 'from'",
      "const important = 'x'",
      'export function from(): string {',
      "  return './e.ts'",
      '}',
      "import { f } from './f.ts'",
    ].join('\n')
    expect(parseImports(source)).toEqual([{ specifier: './f.ts', line: 12, kind: 'value' }])
  })
})

describe('checkImports', () => {
  it('accepts the direction of the house', () => {
    expect(check({
      'ir/types.ts': "import path from 'node:path'\nimport { z } from 'zod'",
      'ops/add.ts': "import { t } from '../ir/types.ts'",
      'lib/softmax.ts': "import { add } from '../ops/add.ts'",
      'text/print.ts': "import type { Tensor } from '../trace/tensor.ts'\nimport { add } from '../ops/add.ts'",
      'report/report.ts': "import { EngramError } from '../ir/errors.ts'",
      'runner/client.ts': "import { Frame } from './gen/frame.ts'\nimport { create } from '@bufbuild/protobuf/wire'",
      'index.ts': "export * from './lib/softmax.ts'\nexport * from './cli/main.ts'",
    })).toEqual([])
  })

  it('refuses a room that knows too much, with the line and the rule', () => {
    expect(check({ 'ops/add.ts': "import { t } from '../ir/types.ts'\n\nimport { softmax } from '../lib/softmax.ts'" })).toMatchInlineSnapshot(`
      [
        "src/ops/add.ts:3: room "ops" may not import room "lib" (src/lib/softmax.ts): it may import ir, host, trace",
      ]
    `)
    expect(check({ 'ir/types.ts': "import type { Tensor } from '../trace/tensor.ts'" })).toMatchInlineSnapshot(`
      [
        "src/ir/types.ts:1: room "ir" may not import room "trace" (src/trace/tensor.ts): it may import no other room",
      ]
    `)
    expect(check({ 'text/print.ts': "import { parse } from '../interpret/run.ts'" })).toHaveLength(1)
    expect(check({ 'verify/module.ts': "await import('../text/print.ts')" })).toHaveLength(1)
  })

  it('lets a room have the types of another and nothing more', () => {
    expect(check({ 'text/print.ts': "import { trace } from '../trace/trace.ts'" })).toMatchInlineSnapshot(`
      [
        "src/text/print.ts:1: room "text" may not import more than types of room "trace" (src/trace/trace.ts): it may import ir, ops, the types of trace",
      ]
    `)
  })

  it('keeps data and report away from the compiler', () => {
    expect(check({ 'data/corpus.ts': "import { HostArray } from '../ir/host-array.ts'\nimport { Module } from '../ir/module.ts'" })).toMatchInlineSnapshot(`
      [
        "src/data/corpus.ts:2: room "data" may not import room "ir" (src/ir/module.ts): it may import ir/host-array.ts, ir/types.ts, ir/dtypes.ts, ir/errors.ts, ir/float-bits.ts",
      ]
    `)
  })

  it('refuses index.ts, the library by its own name, the way out of src and an unknown package', () => {
    expect(check({
      'lib/a.ts': "import { add } from '../index.ts'",
      'lib/b.ts': "import { add } from 'engram'",
      'lib/c.ts': "import { x } from '../../scripts/x.ts'",
      'lib/d.ts': "import chalk from 'chalk'",
      'lib/e.ts': "import { add } from '../ops/add.js'",
    })).toMatchInlineSnapshot(`
      [
        "src/lib/a.ts:1: nothing imports an index.ts (import the file itself instead of src/index.ts)",
        "src/lib/b.ts:1: a file of the library imports the library by its name "engram" (import the file itself)",
        "src/lib/c.ts:1: ../../scripts/x.ts leads out of src (what is outside is not in the built package)",
        "src/lib/d.ts:1: package "chalk" is not among the dependencies of package.json",
        "src/lib/e.ts:1: a relative import ends in .ts, found "../ops/add.js"",
      ]
    `)
  })

  it('refuses a room that the table does not know and a file outside all rooms', () => {
    expect(check({ 'attic/old.ts': '', 'loose.ts': '' })).toMatchInlineSnapshot(`
      [
        "src/attic/old.ts:1: room "attic" has no line in the table of rooms (test/house/import-rules.ts)",
        "src/loose.ts:1: beside index.ts every file is in a room",
      ]
    `)
  })

  it('refuses a cycle of value imports and names the way round', () => {
    expect(check({
      'ir/a.ts': "import { b } from './b.ts'",
      'ir/b.ts': "// second\nimport { c } from './c.ts'",
      'ir/c.ts': "import { a } from './a.ts'",
      'ir/d.ts': "import { a } from './a.ts'",
    })).toMatchInlineSnapshot(`
      [
        "src/ir/a.ts:1: import cycle: src/ir/a.ts -> src/ir/b.ts -> src/ir/c.ts -> src/ir/a.ts",
      ]
    `)
    expect(check({ 'ir/self.ts': "import { x } from './self.ts'" })).toHaveLength(1)
  })

  it('counts neither type imports nor dynamic ones as part of a cycle', () => {
    expect(check({
      'ir/a.ts': "import { b } from './b.ts'",
      'ir/b.ts': "import type { A } from './a.ts'\nexport const later = () => import('./a.ts')",
    })).toEqual([])
    expect(check({
      'ir/a.ts': "import { b } from './b.ts'",
      'ir/b.ts': "import { type A } from './a.ts'",
    })).toHaveLength(1)
  })
})
