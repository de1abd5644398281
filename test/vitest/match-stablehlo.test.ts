import 'engram/vitest'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { type Tensor, add, f32, lower, scope } from 'engram'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type GoldenTest, matchStableHLO } from '../../src/vitest/match-stablehlo.ts'
import { failure } from './message.ts'

const layer = (x: Tensor) => scope('layer0', () => x.mul(2).tanh())
const other = (x: Tensor) => scope('layer0', () => scope('gate', () => x.mul(3).exp()))
const program = lower(layer, f32(4))
const changed = lower(other, f32(4))

/** Other names, the generic form: the program all the same. */
const byHand = `module @layer {
  func.func public @main(%x: tensor<4xf32>) -> tensor<4xf32> {
    %two = stablehlo.constant dense<[2.0, 2.0, 2.0, 2.0]> : tensor<4xf32> loc("layer0")
    %product = "stablehlo.multiply"(%x,   %two) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32> loc("layer0")

    %y = stablehlo.tanh %product : tensor<4xf32> loc("layer0")
    return %y : tensor<4xf32>
  }
}
`
const broken = 'module @layer {\n  func.func public @main(%arg0: tensor<4xf32>) -> tensor<4xf32> {\n    %0 = stablehlo.tanh %arg1 : tensor<4xf32>\n    return %0 : tensor<4xf32>\n  }\n}\n'

let folder: string
beforeAll(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'engram-golden-'))
  fs.writeFileSync(path.join(folder, 'layer-by-hand.mlir'), byHand)
  fs.writeFileSync(path.join(folder, 'broken.mlir'), broken)
})
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }))
beforeEach(() => fs.rmSync(path.join(folder, '__stablehlo__'), { recursive: true, force: true }))

/** A test of a file in the folder, in a run of vitest with the given state. */
const inRun = (snapshotUpdateState: 'all' | 'new' | 'none', currentTestName = 'models > a layer', isNot = false): GoldenTest =>
  ({ testPath: path.join(folder, 'layer.test.ts'), currentTestName, isNot, snapshotState: { snapshotUpdateState } })
const golden = (name: string) => path.join(folder, '__stablehlo__/layer', name)
/** What a failing comparison says; not through `expect`, because a run with -u would write the file. */
const difference = (received: unknown, file: string, options = {}, isNot = false) =>
  message(matchStableHLO(inRun('none', 'a test', isNot), received, file, options).then((result) => {
    expect(result.pass).toBe(isNot)
    return result
  }))
const message = (run: Promise<{ message: () => string }>) => run.then((result) => result.message().replaceAll(`${folder}/`, ''), (error: Error) => error.message.replaceAll(`${folder}/`, ''))

describe('toMatchStableHLO', () => {
  it('reads a file beside the test, whatever the values are called and however it is written', async () => {
    const file = path.join(folder, 'layer-by-hand.mlir')
    await expect(program).toMatchStableHLO(file)
    await expect(layer).toMatchStableHLO(file, { types: [f32(4)] })
    await expect(program.text).toMatchStableHLO(file)
    await expect(changed).not.toMatchStableHLO(file)
    expect(fs.readFileSync(file, 'utf8')).toBe(byHand)
  })

  it('says which ops differ, in which function and scope, between the ops around them', async () => {
    expect(await difference(lower({ layer: (x: Tensor) => other(x) }.layer, f32(4)), 'layer-by-hand.mlir')).toMatchInlineSnapshot(`
      "the program is not the one in layer-by-hand.mlir: 2 differences
      (- as in the file, + as it is now; if this is right, update the file with vitest -u)

      @main: stablehlo.constant differs in layer0/gate (test/vitest/match-stablehlo.test.ts:11:74, was layer-by-hand.mlir:3:12)
        value: dense<2.0> : tensor<4xf32> became dense<3.0> : tensor<4xf32>
        - %0 = stablehlo.constant dense<[2.0, 2.0, 2.0, 2.0]> : tensor<4xf32>
        + %0 = stablehlo.constant dense<3.0> : tensor<4xf32>
          %1 = stablehlo.multiply %arg0, %0 : tensor<4xf32>

      @main: stablehlo.tanh became stablehlo.exponential in layer0/gate (test/vitest/match-stablehlo.test.ts:11:81, was layer-by-hand.mlir:6:10)
        - %2 = stablehlo.tanh %1 : tensor<4xf32>
        + %2 = stablehlo.exponential %1 : tensor<4xf32>
          return %2 : tensor<4xf32>"
    `)
    expect(await difference(program, 'layer-by-hand.mlir', {}, true)).toMatchInlineSnapshot(`"the program is the one in layer-by-hand.mlir, it should be another"`)
  })

  it('shows a limited number of differences', async () => {
    expect(await difference(changed, 'layer-by-hand.mlir', { limit: 1 })).toMatchInlineSnapshot(`
      "the program is not the one in layer-by-hand.mlir: more than 1 differences, the first of them
      (- as in the file, + as it is now; if this is right, update the file with vitest -u)

      module: differs
        name: @layer became @other"
    `)
  })

  it('gives the caret error of a golden file that cannot be read', async () => {
    expect(await difference(program, 'broken.mlir')).toMatchInlineSnapshot(`
      "broken.mlir:3:25: use of undeclared SSA value name '%arg1'
        3 |     %0 = stablehlo.tanh %arg1 : tensor<4xf32>
          |                         ^"
    `)
  })

  it('has no file to differ from where there is none', async () => {
    expect(await failure(() => expect(program).not.toMatchStableHLO('nowhere.mlir'))).toMatchInlineSnapshot(`"there is no golden file test/vitest/nowhere.mlir that the program could differ from"`)
    expect(fs.existsSync(path.join(import.meta.dirname, 'nowhere.mlir'))).toBe(false)
  })

  it('writes a missing file, whole, where vitest writes snapshots; not where it does not', async () => {
    expect(await matchStableHLO(inRun('none'), program, undefined, {})).toMatchObject({ pass: false })
    expect(fs.existsSync(path.join(folder, '__stablehlo__'))).toBe(false)
    expect(await message(matchStableHLO(inRun('none'), program, 'goldens/layer.mlir', {}))).toMatchInlineSnapshot(`
      "there is no golden file goldens/layer.mlir, and this run may not write it (on CI, or with --update=none).
      Run the test on your machine, look at the file it writes, and commit it."
    `)
    expect(await matchStableHLO({ ...inRun('new'), task: { id: 'first' } }, program, undefined, {})).toMatchObject({ pass: true })
    expect(fs.readdirSync(golden(''))).toEqual(['models-a-layer.mlir'])
    expect(fs.readFileSync(golden('models-a-layer.mlir'), 'utf8')).toContain('stablehlo.tanh %1 : tensor<4xf32> loc("layer0")')
  })

  it('leaves a file that differs alone, unless vitest updates; one that is the same program stays as it is', async () => {
    await matchStableHLO(inRun('new', 'kept'), program, undefined, {})
    const before = fs.readFileSync(golden('kept.mlir'), 'utf8')
    expect(await matchStableHLO({ ...inRun('new', 'kept'), task: { id: 'again' } }, changed, undefined, {})).toMatchObject({ pass: false })
    expect(fs.readFileSync(golden('kept.mlir'), 'utf8')).toBe(before)
    fs.writeFileSync(golden('kept.mlir'), before.replaceAll('%1', '%renamed'))
    await matchStableHLO({ ...inRun('all', 'kept'), task: { id: 'third' } }, program, undefined, {})
    expect(fs.readFileSync(golden('kept.mlir'), 'utf8')).toContain('%renamed')
    for (const broken of ['not a program', before]) {
      fs.writeFileSync(golden('kept.mlir'), broken)
      expect(await matchStableHLO({ ...inRun('all', 'kept'), task: { id: broken } }, changed, undefined, {})).toMatchObject({ pass: true })
      expect(fs.readFileSync(golden('kept.mlir'), 'utf8')).toContain('stablehlo.exponential')
    }
  })

  it('gives each call of a test a file, a test that runs again the same ones, and no two tests one', async () => {
    const run = (name: string, retryCount: number) => matchStableHLO({ ...inRun('new', name), task: { id: name, result: { retryCount } } }, program, undefined, {})
    for (const retry of [0, 1]) {
      await run('two calls', retry)
      await run('two calls', retry)
    }
    expect(fs.readdirSync(golden(''))).toEqual(['two-calls-2.mlir', 'two-calls.mlir'])
    expect(await message(run('two: calls', 0))).toMatchInlineSnapshot(`"the tests 'two calls' and 'two: calls' would share the golden file two-calls.mlir: rename one, or give a file: toMatchStableHLO('NAME.mlir')"`)
  })

  it('keeps foreign ops, and refuses text that is no program', async () => {
    const text = 'func.func @main(%a: tensor<2xf32>) -> tensor<2xf32> {\n  %0 = "tosa.abs"(%a) : (tensor<2xf32>) -> tensor<2xf32>\n  return %0 : tensor<2xf32>\n}\n'
    await matchStableHLO(inRun('new', 'foreign'), text, undefined, {})
    expect(await matchStableHLO({ ...inRun('none', 'foreign'), task: { id: 'foreign again' } }, text, undefined, {})).toMatchObject({ pass: true })
    expect(await message(matchStableHLO(inRun('new', 'text'), 'func.func', undefined, {}))).toMatchInlineSnapshot(`
      "received.mlir:1:10: expected a symbol such as @main
        1 | func.func
          |          ^"
    `)
    expect(await message(matchStableHLO(inRun('new', 'promise'), Promise.resolve(program), undefined, {}))).toMatchInlineSnapshot(`"toMatchStableHLO takes a program (what lower() gives), StableHLO text, a module, or a function with { types }; got a promise: await it first"`)
    expect(await message(matchStableHLO(inRun('new', 'types'), program, undefined, { types: [f32(4)] }))).toMatchInlineSnapshot(`"toMatchStableHLO: types are for functions, got program layer, which has its own"`)
  })

  it('compares signatures', async () => {
    const two = lower({ layer: (x: Tensor, y: Tensor) => add(layer(x), y) }.layer, f32(4), f32(4))
    expect(await difference(two, 'layer-by-hand.mlir')).toMatchInlineSnapshot(`
      "the program is not the one in layer-by-hand.mlir: 3 differences
      (- as in the file, + as it is now; if this is right, update the file with vitest -u)

      @main: differs
        + argument 1: tensor<4xf32>

      @main: stablehlo.add was added (test/vitest/match-stablehlo.test.ts:152:58)
          %1 = stablehlo.multiply %arg0, %0 : tensor<4xf32>
          %2 = stablehlo.tanh %1 : tensor<4xf32>
        + %3 = stablehlo.add %2, %arg1 : tensor<4xf32>

      @main: func.return differs (test/vitest/match-stablehlo.test.ts:152:17, was layer-by-hand.mlir:7:5)
        operand 0: %2 of stablehlo.tanh, f32[4] became %3 of stablehlo.add, f32[4]
        - return %2 : tensor<4xf32>
        + return %3 : tensor<4xf32>"
    `)
  })
})
