import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { type Tensor, importStableHLO, grad } from 'engram'
import type { Module } from '../../src/ir/module.ts'
import { tensorType } from '../../src/ir/types.ts'
import { modelNames, preset } from '../../src/models/registry.ts'
import { traceFunction } from '../../src/program/trace-function.ts'
import { findPython } from '../../src/runner/python.ts'
import { diffModules, differencesText } from '../../src/text/compare.ts'
import { parseModule } from '../../src/text/parse.ts'
import { printModule } from '../../src/text/print.ts'
import { optimizerSchema } from '../../src/train/optimizers/registry.ts'
import { entryNames, entryProgram } from '../../src/train/programs.ts'
import { opSamples } from '../support/op-samples/index.ts'

/**
 * What we print (in an op's own form, in the generic form, and with locations), jaxlib's parser reads to the same module, by its own
 * printing; and what jaxlib prints of it, in both forms, we read back to the module that we had.
 */
interface Sample {
  readonly name: string
  readonly module: Module
}

/** Names of samples that jaxlib cannot know, and what it says. */
const unknownToJaxlib: readonly (readonly [RegExp, RegExp])[] = [
  [/^(check|interpreter)\./, /Dialect `(check|interpreter)' not found|unregistered dialect/],
  [/^stablehlo\.collective_reduce/, /unregistered operation 'stablehlo\.collective_reduce'/],
  [/^stablehlo\.uniform_(de)?quantize/, /"uniform<.*type created with unregistered dialect/],
]

const golden = fileURLToPath(new URL('../golden/', import.meta.url))
const goldens = fs.readdirSync(golden).filter((file) => file.endsWith('.mlir'))

function models(): Sample[] {
  const optimizers = [
    { kind: 'adafactor', schedule: { kind: 'inverse-sqrt', learningRate: 0.01 } },
    { kind: 'adam', schedule: { kind: 'constant', learningRate: 0.01 } },
  ].map((each) => optimizerSchema.parse(each))
  return modelNames.flatMap((name) => {
    const trained = preset(name, 'tiny')
    const [first, second] = optimizers.map((optimizer) => ({ optimizer, clipGlobalNorm: 1, batchSize: 2 }))
    return [
      ...entryNames.map((entry) => ({ name: `${name}: ${entry}`, module: entryProgram(entry, trained, first).module })),
      { name: `${name}: train with another optimizer`, module: entryProgram('train', trained, second).module },
    ]
  })
}

/** Operations of one text at a place of another: locations of calls. */
function importedGradient(): Sample {
  const fn = importStableHLO(`
    func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
      %0 = call @inner(%x) : (tensor<4xf32>) -> tensor<4xf32>
      return %0 : tensor<4xf32>
    }
    func.func private @inner(%x: tensor<4xf32>) -> tensor<4xf32> {
      %0 = stablehlo.tanh %x : tensor<4xf32>
      return %0 : tensor<4xf32>
    }`, { file: 'inner.mlir' })
  return { name: 'gradient of an imported function', module: traceFunction('gradient', (x: Tensor) => grad((x: Tensor) => fn(x).sum())(x), [tensorType('f32', [4])]).module }
}

const programs: readonly Sample[] = [
  ...opSamples.map(({ name, build, inputs }) => ({ name, module: traceFunction('sample', build, inputs).module })),
  ...goldens.map((file) => ({ name: `golden/${file}`, module: parseModule(fs.readFileSync(golden + file)) })),
  ...models(),
  importedGradient(),
]

interface Answer {
  readonly error?: string
  readonly generic: readonly string[]
  readonly pretty: string
}
const script = fileURLToPath(new URL('jaxlib-reads.py', import.meta.url))
const input = JSON.stringify(programs.map(({ module }) => [{}, { generic: true }, { locations: true }].map((options) => printModule(module, options))))
const output = execFileSync(findPython().command, [script], { input, encoding: 'utf8', maxBuffer: 2 ** 30, env: { ...process.env, JAX_PLATFORMS: 'cpu' } })
const answers = JSON.parse(output) as Answer[]

describe('jaxlib reads what is printed', () => {
  it.each(programs.map((program, i) => ({ ...program, answer: answers[i] })))('$name', ({ name, module, answer }) => {
    const refused = unknownToJaxlib.find(([names]) => names.test(name))
    if (refused) return expect(answer.error).toMatch(refused[1])
    expect(answer.error).toBeUndefined()
    const [first, ...others] = answer.generic
    for (const other of others) if (other !== first) expect(other).toBe(first)
    // Items of other dialects at module level are kept as their text, which differs between the forms.
    const texts = module.foreign.length ? [answer.pretty] : [answer.pretty, first]
    for (const text of texts) expect(differencesText(diffModules(module, parseModule(text), { limit: 5 }))).toBe('')
  })
})
