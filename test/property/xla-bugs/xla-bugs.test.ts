import { readFileSync, readdirSync } from 'node:fs'
import { afterAll, describe, expect, it } from 'vitest'
import type { TensorType } from '../../../src/ir/types.ts'
import { interpret } from '../../../src/interpret/interpreter.ts'
import { parseModule } from '../../../src/text/parse.ts'
import type { Tensor } from '../../../src/ir/module.ts'
import type { DType } from '../../../src/ir/dtypes.ts'
import { HostArray } from '../../../src/ir/host-array.ts'
import { XlaRunner } from '../../support/generate/run-on-xla.ts'
import { exclusions } from '../../support/generate/exclusions.ts'

/**
 * What XLA on the CPU computes wrongly, compiled as the generated programs are (the 8-bit floats come out right by its default compiler), a program each; its first comment says what is wrong and what
 * the specification says, further ones the inputs and both results.
 * A program that XLA has come to compute rightly fails here, so that it is taken from the list and generated again.
 */

const folder = new URL('.', import.meta.url)
const names = readdirSync(folder).filter((file) => file.endsWith('.mlir')).map((file) => file.replace('.mlir', ''))
const xla = new XlaRunner('quick')
afterAll(() => xla.close())

const shown = (arrays: readonly HostArray[]): string => arrays.map(({ dtype, shape, data }) => `${dtype}[${shape}] ${Array.from(data as Float64Array, String)}`).join('; ')

/** The values of the lines `// input: f32[2] 1,2`. */
const inputsOf = (text: string): HostArray[] =>
  [...text.matchAll(/^\/\/ input: (\w+)\[([\d,]*)\] (.*)$/gm)].map(([, dtype, shape, values]) => HostArray.of(dtype as DType, (shape === '' ? [] : shape.split(',').map(Number)), (values === '-' ? [] : values.split(',').map(Number))))

/** `// right: ...` and `// XLA: ...` of a file. */
const remark = (text: string, of: string): string | undefined => new RegExp(`^// ${of}: (.*)$`, 'm').exec(text)?.[1]

describe('XLA on the CPU still differs from the specification', () => {
  it.each(names)('%s', async (name) => {
    const text = readFileSync(new URL(`${name}.mlir`, folder), 'utf8')
    const module = parseModule(text)
    const inputs = inputsOf(text)
    const right = interpret(module, inputs) as readonly HostArray[]
    expect(shown(right)).toBe(remark(text, 'right'))
    const results = module.main.block.operations.at(-1)!.operands as readonly Tensor[]
    const outcome = await xla.run({ module, inputs, results: results.filter(({ type }) => (type as TensorType).kind === 'tensor') })
    const actual = outcome.kind === 'results' ? shown(outcome.results) : outcome.kind
    expect(actual).not.toBe(shown(right))
    expect(actual).toBe(remark(text, 'XLA'))
  })

  it('is named by exclusions that have a program here', () => {
    expect(exclusions.flatMap(({ bug }) => bug ?? []).filter((bug) => !names.includes(bug))).toEqual([])
  })
})
