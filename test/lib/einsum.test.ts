import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { HostArray } from '../../src/ir/host-array.ts'
import type { Tensor } from '../../src/ir/module.ts'
import { type TensorType, tensorType } from '../../src/ir/types.ts'
import { einsum } from '../../src/lib/einsum.ts'
import { evaluate } from '../../src/program/evaluate.ts'
import { lower } from '../../src/program/lower.ts'
import { ravel, unravel } from '../support/arrays.ts'
import { checkGradient } from '../support/gradient-check.ts'
import { traceError } from '../support/run-ops.ts'
import { distance, randomArray } from './random-array.ts'

/** The definition: for every assignment of the labels, the product of the operands' elements goes to the result's. */
function naive(equation: string, operands: readonly HostArray[]): number[] {
  const [left, output] = equation.split('->')
  const inputs = left.split(',')
  const sizes = new Map<string, number>()
  inputs.forEach((labels, i) => [...labels].forEach((label, axis) => sizes.set(label, operands[i].shape[axis])))
  const labels = [...sizes.keys()]
  const sizeOf = (names: string) => [...names].map((label) => sizes.get(label)!)
  const result = new Array<number>(sizeOf(output).reduce((a, b) => a * b, 1)).fill(0)
  const total = labels.reduce((count, label) => count * sizes.get(label)!, 1)
  for (let flat = 0; flat < total; flat++) {
    const position = unravel(flat, sizeOf(labels.join('')))
    const at = (names: string) => ravel([...names].map((label) => position[labels.indexOf(label)]), sizeOf(names))
    result[at(output)] += inputs.reduce((product, names, i) => product * Number(operands[i].data[at(names)]), 1)
  }
  return result
}

const evaluateEinsum = (equation: string, ...operands: HostArray[]): HostArray =>
  evaluate((...tensors: Tensor[]) => einsum(equation, ...tensors), ...operands)

/** Names of the ops in a lowered einsum. */
const opsOf = (equation: string, ...types: TensorType[]): string[] =>
  [...lower((...tensors: Tensor[]) => einsum(equation, ...tensors), ...types).text.matchAll(/stablehlo\.(\w+)/g)].map((match) => match[1])

describe('einsum', () => {
  it.each([
    ['ij,jk->ik', [3, 4], [4, 5]],
    ['bqd,bkd->bqk', [2, 3, 4], [2, 5, 4]],
    ['bhqk,bhkd->bqhd', [2, 3, 4, 5], [2, 3, 5, 2]],
    ['ij,ij->', [3, 4], [3, 4]],
    ['ij,ij->ji', [3, 4], [3, 4]],
    ['i,j->ji', [3], [4]],
    ['ij,k->j', [3, 4], [2]],
    [',ij->ij', [], [3, 4]],
    ['ij,->ji', [3, 4], []],
    ['ijk->kj', [2, 3, 4]],
    ['ijk->', [2, 3, 4]],
    ['a->a', [3]],
    ['ab,bc,cd->ad', [2, 3], [3, 4], [4, 5]],
    ['ab,b,ac->c', [2, 3], [3], [2, 4]],
    ['b,ab,ab,a->', [3], [2, 3], [2, 3], [2]],
  ] as [string, ...number[][]][])('%s is its definition', (equation, ...shapes) => {
    const operands = shapes.map((shape, seed) => randomArray(shape, { seed: seed + 1 }))
    expect(distance(evaluateEinsum(equation, ...operands), naive(equation, operands))).toBeLessThan(1e-12)
    checkGradient({ build: (...tensors) => einsum(equation, ...tensors), inputs: operands })
  })

  it('is its definition for random equations', () => {
    const labels = fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd'), { maxLength: 3 }).map((list) => list.join(''))
    const cases = fc.tuple(fc.array(labels, { minLength: 1, maxLength: 3 }), fc.infiniteStream(fc.nat()))
    const sizes: Record<string, number> = { a: 2, b: 3, c: 1, d: 2 }
    fc.assert(
      fc.property(cases, ([inputs, picks]) => {
        const all = [...new Set(inputs.join(''))]
        const output = all.map((label) => ({ label, rank: picks.next().value as number })).filter(({ rank }) => rank % 3 > 0)
          .sort((p, q) => p.rank - q.rank).map(({ label }) => label).join('')
        const operands = inputs.map((names, i) => randomArray([...names].map((label) => sizes[label]), { seed: i + 3 }))
        const equation = `${inputs.join(',')}->${output}`
        expect(distance(evaluateEinsum(equation, ...operands), naive(equation, operands)), equation).toBeLessThan(1e-12)
      }),
      { numRuns: 150, seed: 5 },
    )
  })

  it('orders the result alphabetically when it is not written', () => {
    const [x, y] = [randomArray([3, 4]), randomArray([4, 2], { seed: 2 })]
    expect(evaluateEinsum('kj,ja', x, y)).toEqual(evaluateEinsum('kj,ja->ak', x, y))
    expect(evaluateEinsum('ij,ij', x, x).shape).toEqual([])
  })

  it('is one dot_general, with a transpose only where the result asks for one', () => {
    const [q, k] = [tensorType('f32', [2, 3, 4]), tensorType('f32', [2, 5, 4])]
    expect(opsOf('bqd,bkd->bqk', q, k)).toEqual(['dot_general'])
    expect(opsOf('bqd,bkd->bkq', q, k)).toEqual(['dot_general'])
    expect(opsOf('bqd,bkd->qbk', q, k)).toEqual(['dot_general', 'transpose'])
    expect(opsOf('bqd,de->bqe', q, tensorType('f32', [4, 6]))).toEqual(['dot_general'])
    expect(opsOf('ij,ij->', tensorType('f32', [3, 4]), tensorType('f32', [3, 4]))).toEqual(['dot_general'])
  })

  it('passes on precision and the element type of the result', () => {
    const text = lower(
      (x: Tensor, y: Tensor) => einsum('ij,jk->ik', x, y, { outputDtype: 'f32', precision: 'HIGHEST' }),
      tensorType('bf16', [2, 3]), tensorType('bf16', [3, 4]),
    ).text
    expect(text).toContain('precision = [HIGHEST, HIGHEST] : (tensor<2x3xbf16>, tensor<3x4xbf16>) -> tensor<2x4xf32>')
    const narrow = [tensorType('bf16', [2, 3]), tensorType('bf16', [3, 4]), tensorType('bf16', [4, 2])] as const
    const three = lower((x: Tensor, y: Tensor, z: Tensor) => einsum('ij,jk,kl->il', x, y, z, { outputDtype: 'f32' }), ...narrow)
    expect(three.outputs[0].dtype).toBe('f32')
  })

  it('names labels, sizes and types in errors', () => {
    const [x, y] = [tensorType('f32', [3, 4]), tensorType('f32', [5, 2])]
    const of = (equation: string, ...types: TensorType[]) => traceError((...tensors) => einsum(equation, ...tensors), ...types)
    expect([
      of('ij,jk->ik', x, y),
      of('ij,jk->ik', x, tensorType('bf16', [4, 2])),
      of('ijk->ik', x),
      of('ii->i', tensorType('f32', [3, 3])),
      of('i...->i', x),
      of('ij->ijk', x),
      of('ij->ii', x),
      of('ij,jk->ik', x),
      of('i1->i', x),
      of('ij->i->j', x),
    ]).toMatchInlineSnapshot(`
      [
        "einsum: equation 'ij,jk->ik': label 'j' is 4 in operand 0 f32[3,4] axis 1, 5 in operand 1 f32[5,2] axis 0",
        "einsum: equation 'ij,jk->ik': operand 0 f32[3,4] and operand 1 bf16[4,2] differ in element type: convert one of them",
        "einsum: equation 'ijk->ik': 'ijk' has 3 labels, operand 0 is f32[3,4]",
        "einsum: equation 'ii->i': operand 0 repeats label 'i': take the diagonal first, einsum does not",
        "einsum: equation 'i...->i': '...' is not supported: name every axis with a letter",
        "einsum: equation 'ij->ijk': the result's label 'k' is in no operand",
        "einsum: equation 'ij->ii': the result repeats label 'i'",
        "einsum: equation 'ij,jk->ik': has 2 operands, 1 were given",
        "einsum: equation 'i1->i': '1' is not a label: labels are letters",
        "einsum: equation 'ij->i->j': has more than one '->'",
      ]
    `)
  })
})
