import { readRow, scan, writeRow } from '../lib/loops.ts'
import { mean } from '../lib/mean.ts'
import { Tensor } from '../ir/module.ts'
import { tensorType } from '../ir/types.ts'
import { add, divide } from '../ops/arithmetic.ts'
import { broadcastTo } from '../ops/broadcast.ts'
import { fill, zeros } from '../ops/constant.ts'
import { maximum } from '../ops/elementwise-binary.ts'
import { iota } from '../ops/iota.ts'
import { reduceSum } from '../ops/reduce.ts'
import { reshape } from '../ops/reshape.ts'
import { flatten, flattenLike, unflatten } from '../trace/tree.ts'
import type { LossOutput } from './loss.ts'

/**
 * Accumulation of gradients: the slots of a step are worked through in groups, one after another in a loop of the program, so that the
 * memory for what is kept between forward and backward is that of one group. Every group has a model state of its own, as a row
 * of the step's, and goes on from it in the next step; so slots stay as independent as they are, and the sum of the gradients is that of all
 * slots at once, but for rounding and for other dropout masks.
 */

/** What one of the groups takes part with. */
export interface StepShare {
  /** f32[]: the summed weight of all targets of the step, of all groups; at least 1. */
  readonly count: Tensor
  readonly groups: number
}

/** A group of slots: its place, its model state and its share of the batch. */
export interface SlotGroup<Batch> {
  /** i32[] */
  readonly index: Tensor
  readonly state: unknown
  readonly batch: Batch
  readonly share: StepShare
}

/** What slots give: the gradient of the loss, its sums, their next model state. */
export interface StepPart {
  readonly gradient: unknown
  readonly loss: LossOutput
  /** f32[]: what is trained beside the predictions; already in the gradient, with its share. */
  readonly auxiliary?: Tensor | undefined
  readonly model: unknown
  readonly diagnostics: Record<string, Tensor>
}

const isTensor = (value: unknown): value is Tensor => value instanceof Tensor

/** Applies a function to every tensor of a tree. */
function mapTree<T>(tree: T, fn: (leaf: Tensor, index: number) => Tensor, what: string): T {
  const { leaves, structure } = flatten(tree, isTensor, what)
  return unflatten(structure, leaves.map(fn)) as T
}

/** The model state of `groups` groups that are all as this one: [...] -> [n, ...] for each tensor. */
export const repeatedState = (state: unknown, groups: number): unknown =>
  mapTree(state, (leaf) => broadcastTo(reshape(leaf, [1, ...leaf.shape]), [groups, ...leaf.shape]), 'the state of the model')

/**
 * Loss and gradient of a step of `groups` groups: `part` gives those of one, with the loss divided by the count of the whole step. Sums are
 * f32; diagnostics and the auxiliary loss are means over the groups. Throws `OpError`.
 */
export function accumulateGradients<Batch extends { readonly weights: Tensor }>(
  groups: number,
  { parameters, model }: { readonly parameters: unknown; readonly model: unknown },
  batch: Batch,
  part: (group: SlotGroup<Batch>) => StepPart,
): StepPart {
  const count = maximum(reduceSum(batch.weights), 1)
  const none = fill(0, tensorType('f32', []))
  const gradients = mapTree(parameters, (leaf) => zeros(leaf.type), 'the parameters')
  const start = { gradient: gradients, total: none, count: none, correct: none, model }
  const rows = mapTree({ ...batch }, (leaf) => reshape(leaf, [groups, leaf.shape[0] / groups, ...leaf.shape.slice(1)]), 'the batch')
  const [sums, perGroup] = scan(
    (sum, { index, slots }: { index: Tensor; slots: Batch }) => {
      const state = mapTree(sum.model, (leaf) => readRow(leaf, index), 'the state of the model')
      const { gradient, loss, auxiliary, model: next, diagnostics } = part({ index, state, batch: slots, share: { count, groups } })
      return [
        {
          gradient: addTrees(sum.gradient, gradient, 'the gradients'),
          total: add(sum.total, loss.total),
          count: add(sum.count, loss.count),
          correct: add(sum.correct, loss.correct),
          model: replaceRows(sum.model, index, next),
        },
        { diagnostics, auxiliary },
      ] as const
    },
    start,
    { index: iota(tensorType('i32', [groups]), 0), slots: rows },
  )
  const { gradient, total, correct } = sums
  return {
    gradient,
    loss: { loss: divide(total, count), total, count: sums.count, correct },
    model: sums.model,
    ...mapTree(perGroup, (leaf) => mean(leaf, [0]), 'the diagnostics'),
  }
}

function addTrees<T>(a: T, b: unknown, what: string): T {
  const { leaves, structure } = flatten(a, isTensor, what)
  const others = flattenLike(structure, b, isTensor, what)
  return unflatten(structure, leaves.map((leaf, i) => add(leaf, others[i]))) as T
}

function replaceRows(tables: unknown, index: Tensor, rows: unknown): unknown {
  const { leaves, structure } = flatten(tables, isTensor, 'the state of the model')
  const values = flattenLike(structure, rows, isTensor, 'the state of the model')
  return unflatten(structure, leaves.map((leaf, i) => writeRow(leaf, index, values[i])))
}
