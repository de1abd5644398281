import type { Tensor } from '../ir/module.ts'
import { shortType } from '../ir/types.ts'
import { multiply } from '../ops/arithmetic.ts'
import { broadcastInDim } from '../ops/broadcast.ts'
import { convert } from '../ops/convert.ts'
import { type DotOptions, dotGeneral } from '../ops/dot-general.ts'
import { reduceSum } from '../ops/reduce.ts'
import { transpose } from '../ops/transpose.ts'
import { parseEquation } from './einsum-equation.ts'
import { failIn } from './library-error.ts'
import { inWideType } from './wide.ts'

/** A tensor whose axes have names. */
interface Labelled {
  readonly tensor: Tensor
  readonly labels: string
}

/**
 * Sums of products over named axes: `einsum('bqd,bkd->bqk', queries, keys)`. Labels of the result are kept, all others summed over. Two
 * operands become one `dot_general`, with a transpose only where the result's order asks for one; more operands are contracted from left
 * to right. `outputDtype` is the element type of the result and of the sums. Throws `OpError` naming labels, sizes and types.
 */
export function einsum(equation: string, ...operandsAndOptions: readonly [...Tensor[], DotOptions] | readonly Tensor[]): Tensor {
  const { operands, options } = splitOptions(operandsAndOptions)
  const { inputs, output } = parseEquation(equation, operands.length)
  checkOperands(equation, inputs, operands)
  const outputDtype = options.outputDtype ?? operands[0].dtype
  let result: Labelled | undefined
  operands.forEach((tensor, i) => {
    // A label is kept while the result or a later operand still needs it.
    const needed = output + inputs.slice(i + 1).join('')
    const operand = { tensor, labels: inputs[i] }
    if (!result) {
      const others = inputs.slice(1).join('') + output
      result = sumAway(operand, others)
    } else {
      const last = i === operands.length - 1
      result = contract(result, sumAway(operand, result.labels + needed), needed, last ? output : undefined, { ...options, outputDtype })
    }
  })
  const { tensor, labels } = result!
  const ordered = transpose(tensor, [...output].map((label) => labels.indexOf(label)))
  return convert(ordered, outputDtype)
}

function splitOptions(values: readonly (Tensor | DotOptions)[]): { operands: Tensor[]; options: DotOptions } {
  const last = values.at(-1)
  const isOptions = last !== undefined && !('shape' in last)
  return { operands: (isOptions ? values.slice(0, -1) : values) as Tensor[], options: isOptions ? (last as DotOptions) : {} }
}

function checkOperands(equation: string, inputs: readonly string[], operands: readonly Tensor[]): void {
  const fail = (detail: string): never => failIn('einsum', `equation '${equation}': ${detail}`)
  const known = new Map<string, { operand: number; axis: number; size: number }>()
  operands.forEach((tensor, i) => {
    if (tensor.dtype !== operands[0].dtype)
      fail(`operand 0 ${shortType(operands[0].type)} and operand ${i} ${shortType(tensor.type)} differ in element type: convert one of them`)
    if (tensor.rank !== inputs[i].length) fail(`'${inputs[i]}' has ${inputs[i].length} labels, operand ${i} is ${shortType(tensor.type)}`)
    ;[...inputs[i]].forEach((label, axis) => {
      const size = tensor.shape[axis]
      const before = known.get(label)
      if (before && before.size !== size)
        fail(
          `label '${label}' is ${before.size} in operand ${before.operand} ${shortType(operands[before.operand].type)} axis ${before.axis}, ` +
            `${size} in operand ${i} ${shortType(tensor.type)} axis ${axis}`,
        )
      known.set(label, { operand: i, axis, size })
    })
  })
}

/** Sums over the labels that nothing else needs. */
function sumAway({ tensor, labels }: Labelled, needed: string): Labelled {
  const axes = [...labels].flatMap((label, axis) => (needed.includes(label) ? [] : [axis]))
  if (axes.length === 0) return { tensor, labels }
  return { tensor: inWideType(tensor, (wide) => reduceSum(wide, axes)), labels: [...labels].filter((label) => needed.includes(label)).join('') }
}

/** One product; `order` is the order of labels that the result should have, if that can be had without a transpose. */
function contract(a: Labelled, b: Labelled, needed: string, order: string | undefined, options: DotOptions): Labelled {
  // dot_general gives batch, then lhs, then rhs axes: exchanging the sides may spare a transpose.
  const wanted = order ?? ''
  const swapped = wanted !== '' && firstFree(wanted, b, a)
  const [lhs, rhs] = (swapped ? [b, a] : [a, b]).map((side) => ({
    ...side,
    // What was contracted before may have a wider type already.
    tensor: a.tensor.dtype === b.tensor.dtype ? side.tensor : convert(side.tensor, options.outputDtype ?? a.tensor.dtype),
  }))
  const shared = [...lhs.labels].filter((label) => rhs.labels.includes(label))
  const batch = shared.filter((label) => needed.includes(label)).sort((p, q) => wanted.indexOf(p) - wanted.indexOf(q))
  const contracted = shared.filter((label) => !needed.includes(label))
  const at = (side: Labelled, labels: readonly string[]) => labels.map((label) => side.labels.indexOf(label))
  const free = (side: Labelled) => [...side.labels].filter((label) => !shared.includes(label))
  const labels = [...batch, ...free(lhs), ...free(rhs)].join('')
  if (contracted.length === 0 && batch.length === 0 && (lhs.labels === '' || rhs.labels === '')) return { tensor: scaled(lhs, rhs, options), labels }
  return {
    tensor: dotGeneral(lhs.tensor, rhs.tensor, {
      ...options,
      batching: [at(lhs, batch), at(rhs, batch)],
      contracting: [at(lhs, contracted), at(rhs, contracted)],
    }),
    labels,
  }
}

/** A scalar times anything is no matter for `dot_general`. */
function scaled(lhs: Labelled, rhs: Labelled, options: DotOptions): Tensor {
  const [scalar, full] = lhs.labels === '' ? [lhs.tensor, rhs.tensor] : [rhs.tensor, lhs.tensor]
  const dtype = options.outputDtype ?? full.dtype
  return multiply(convert(full, dtype), broadcastInDim(convert(scalar, dtype), full.shape, []))
}

/** Whether the first label that only one side has belongs to `side`. */
function firstFree(order: string, side: Labelled, other: Labelled): boolean {
  const first = [...order].find((label) => side.labels.includes(label) !== other.labels.includes(label))
  return first !== undefined && side.labels.includes(first)
}
