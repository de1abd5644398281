import type { TimeEstimate } from './estimate.ts'
import { type HloComputation, type HloModule, type HloOp, arraysOf, calledComputation, customCallTarget } from './hlo.ts'

/** An array that a program keeps between two ops. */
export interface HloBuffer {
  /** The op that makes it. */
  readonly op: string
  /** `f32[1024,65536]` */
  readonly type: string
  readonly bytes: number
}

/** What became of a search for the nearest rows: a matrix product that makes scores, and what selects among them. */
export interface SearchFinding {
  /** Empty if the program does not say. */
  readonly scope: string
  /** The scores, whether or not they ever are in memory as a whole. */
  readonly scores: { readonly type: string; readonly bytes: number }
  /** What selects among the scores in the very op that makes them: `PartialReduce`, `reduce`; undefined if that comes later. */
  readonly fusedWith: string | undefined
  /** Buffers of the size of the scores in HBM, and in the chip's own memory. */
  readonly inHbm: readonly HloBuffer[]
  readonly onChip: readonly HloBuffer[]
  /** Estimate of the scope's ops together. */
  readonly seconds: number
}

const products: ReadonlySet<string> = new Set(['dot', 'convolution'])
const selectors: ReadonlySet<string> = new Set(['sort', 'reduce', 'topk'])
/** Ops that make no buffer of their own. */
const views: ReadonlySet<string> = new Set(['parameter', 'get-tuple-element', 'tuple', 'bitcast', 'copy-done', 'slice-done', 'while', 'conditional', 'call'])

/** The custom calls by which a search is known where no scope says so, and sort. */
const selectsByCall = (op: HloOp): boolean => /^(PartialReduce|TopK|ApproxTopK)$/.test(customCallTarget(op) ?? '') || op.opcode === 'sort' || op.opcode === 'topk'

/**
 * The searches of an optimised program: by the scope `nearest[...]` that the search gives its ops, or, in a program without one, every scope in
 * which a product's scores are sorted or selected from.
 */
export function findSearches(module: HloModule, estimate: Pick<TimeEstimate, 'ops'>): SearchFinding[] {
  const located = [...module.computations.values()].flatMap((computation) => computation.ops.map((op) => ({ op, computation })))
  const scopes = new Set(located.flatMap(({ op }) => /^(?:.*\/)?nearest\[[^\]]*\]/.exec(op.scope ?? '')?.[0] ?? []))
  if (scopes.size === 0) for (const { op } of located) if (selectsByCall(op)) scopes.add(op.scope ?? '')
  const calls = callers(module)
  return [...scopes].flatMap((scope) => {
    const inScope = located.filter(({ op }) => within(op.scope ?? '', scope))
    const product = inScope.filter(({ op }) => products.has(op.opcode)).toSorted((a, b) => elements(b.op.type) - elements(a.op.type))[0]
    if (product === undefined) return []
    const size = elements(product.op.type)
    const buffers = located.filter(({ op, computation }) => !calls.has(computation.name) && !views.has(op.opcode) && within(scopeOf(op, module), scope))
    const sized = (onChip: boolean): HloBuffer[] =>
      buffers.flatMap(({ op }) =>
        arraysOf(op.type).flatMap((array) =>
          array.onChip === onChip && array.shape.reduce((total, axis) => total * axis, 1) === size ? [{ op: op.name, type: shortType(array), bytes: array.bytes }] : [],
        ),
      )
    const [scores] = arraysOf(product.op.type)
    return [
      {
        scope,
        scores: { type: shortType(scores), bytes: scores.bytes },
        fusedWith: calls.has(product.computation.name) ? selectorIn(product.computation, calls, module) : undefined,
        inHbm: sized(false),
        onChip: sized(true),
        seconds: estimate.ops.reduce((sum, op) => sum + (within(op.scope, scope) ? op.seconds : 0), 0),
      },
    ]
  })
}

const within = (scope: string, outer: string): boolean => outer === '' || scope === outer || scope.startsWith(`${outer}/`)
const elements = (type: string): number => Math.max(0, ...arraysOf(type).map(({ shape }) => shape.reduce((total, axis) => total * axis, 1)))
const shortType = ({ dtype, shape }: { dtype: string; shape: readonly number[] }): string => `${dtype}[${shape.join(',')}]`
const scopeOf = (op: HloOp, module: HloModule): string => op.scope ?? module.computations.get(calledComputation(op, 'calls') ?? '')?.root.scope ?? ''

/** The computation in which each fused one is called. */
function callers(module: HloModule): Map<string, HloComputation> {
  const found = new Map<string, HloComputation>()
  for (const computation of module.computations.values())
    for (const op of computation.ops) {
      const called = op.opcode === 'fusion' ? calledComputation(op, 'calls') : undefined
      if (called !== undefined) found.set(called, computation)
      const applied = calledComputation(op, 'to_apply')
      if (applied !== undefined && op.opcode !== 'call') found.set(applied, computation)
    }
  return found
}

/** What selects inside a fused computation or one that it is fused into. */
function selectorIn(computation: HloComputation, calls: ReadonlyMap<string, HloComputation>, module: HloModule): string | undefined {
  for (let at: HloComputation | undefined = computation; at !== undefined && calls.has(at.name); at = calls.get(at.name)) {
    const selector = selectorOf(at, module)
    if (selector !== undefined) return selector
  }
  return undefined
}

function selectorOf(computation: HloComputation, module: HloModule): string | undefined {
  for (const op of computation.ops) {
    if (selectsByCall(op)) return customCallTarget(op) ?? op.opcode
    if (selectors.has(op.opcode)) return op.opcode
    const inner = op.opcode === 'fusion' ? module.computations.get(calledComputation(op, 'calls') ?? '') : undefined
    const found = inner && selectorOf(inner, module)
    if (found !== undefined) return found
  }
  return undefined
}
