import { isDifferentiable, isFloat } from '../ir/dtypes.ts'
import { DifferentiationError, TraceError } from '../ir/errors.ts'
import { Tensor } from '../ir/module.ts'
import { shortType } from '../ir/types.ts'
import { ones, zeros } from '../ops/constant.ts'
import { captureLocation, currentFrame, currentRule } from '../trace/frame.ts'
import { flatten, flattenLike, unflatten } from '../trace/tree.ts'
import { ReverseWalk } from './reverse.ts'
import { type Rule, makeAlias } from './rule.ts'

const isTensor = (value: unknown): value is Tensor => value instanceof Tensor

/** The gradient with respect to a tree: the same structure, `null` where a leaf is of an integer or boolean type. */
export type Gradient<T> = T

/**
 * Runs `fn` on `args` in the current trace and gives its output together with `pullback`, which turns a cotangent of the
 * output into the cotangents of all arguments (`null` for leaves of integer or boolean type). Source: reverse-mode
 * accumulation; vector-Jacobian product. Throws `DifferentiationError` at an op that has no gradient.
 */
export function vjp<Args extends readonly unknown[], Output>(
  fn: (...args: Args) => Output,
  ...args: Args
): { output: Output; pullback: (cotangent: Output) => { [K in keyof Args]: Gradient<Args[K]> } } {
  const { output, pull } = record(fn, args)
  const { structure } = flatten(output, isTensor, 'the output of the differentiated function')
  return {
    output,
    pullback: (cotangent) => pull(flattenLike(structure, cotangent, isTensor, 'the cotangent')) as { [K in keyof Args]: Gradient<Args[K]> },
  }
}

interface Recording<Output> {
  readonly output: Output
  /** From cotangents of the output's leaves to those of the arguments. */
  readonly pull: (cotangents: readonly Tensor[]) => unknown
}

function record<Args extends readonly unknown[], Output>(fn: (...args: Args) => Output, args: Args): Recording<Output> {
  const { block } = currentFrame()
  const base = currentRule() as Rule | undefined
  const flat = flatten(args, isTensor, 'the arguments of the differentiated function')
  const sources = flat.leaves.map((leaf) => makeAlias(leaf, false))
  const before = block.operations.at(-1)
  const output = fn(...(unflatten(flat.structure, sources) as unknown as Args))
  const last = block.operations.at(-1)
  const outputs = flatten(output, isTensor, 'the output of the differentiated function').leaves
  return {
    output,
    pull: (cotangents) => {
      if (currentFrame().block !== block) throw new TraceError('pullback was called in another region than vjp', 'LEAKED_TENSOR')
      // An earlier walk may have put operations among them, where others stood.
      const start = before ? block.operations.lastIndexOf(before) + 1 : 0
      const operations = last ? block.operations.slice(start, block.operations.lastIndexOf(last) + 1) : []
      const walk = new ReverseWalk({ operations, base, sources })
      outputs.forEach((leaf, i) => walk.accumulate(leaf, cotangents[i]))
      walk.run()
      const gradients = sources.map((source) => (isDifferentiable(source.dtype) ? (walk.cotangent(source) ?? zeros(source.type)) : null))
      return unflatten(flat.structure, gradients)
    },
  }
}

export interface GradOptions {
  /** Positions of the arguments to differentiate; by default the first alone. */
  readonly wrt?: number | readonly number[]
}

/** The tree of gradients: of one argument, or an array of them when `wrt` is an array. */
type GradientOf<Args extends readonly unknown[], O extends GradOptions> = O extends { wrt: infer W }
  ? W extends number ? Gradient<Args[W]>
  : W extends readonly number[] ? { [K in keyof W]: W[K] extends number ? Gradient<Args[W[K]]> : never }
  : never
  : Gradient<Args[0]>

/**
 * A function that gives `[value, gradient]` of a function whose value is a float scalar. The gradient has the structure of the
 * first argument (or of those named by `wrt`), with `null` for leaves of integer or boolean type.
 * Throws `DifferentiationError` if the value is not a float scalar or an op has no gradient.
 */
export function valueAndGrad<Args extends readonly unknown[], const O extends GradOptions = {}>(
  fn: (...args: Args) => Tensor,
  options?: O,
): (...args: Args) => [Tensor, GradientOf<Args, O>] {
  const differentiated = valueAndGradWithAux((...args: Args): [Tensor, null] => [fn(...args), null], options, fn.name)
  const named = (...args: Args): [Tensor, GradientOf<Args, O>] => {
    const [[value], gradient] = differentiated(...args)
    return [value, gradient]
  }
  Object.defineProperty(named, 'name', { value: fn.name })
  return named
}

/** `valueAndGrad` without the value. */
export function grad<Args extends readonly unknown[], const O extends GradOptions = {}>(
  fn: (...args: Args) => Tensor,
  options?: O,
): (...args: Args) => GradientOf<Args, O> {
  const both = valueAndGrad(fn, options)
  return (...args) => both(...args)[1]
}

/**
 * `valueAndGrad` for a function that gives `[value, aux]`: `[[value, aux], gradient]`. Nothing flows back from `aux`, a tree of
 * tensors (new state, metrics).
 */
export function valueAndGradWithAux<Args extends readonly unknown[], Aux, const O extends GradOptions = {}>(
  fn: (...args: Args) => readonly [Tensor, Aux],
  options?: O,
  name: string = fn.name,
): (...args: Args) => [[Tensor, Aux], GradientOf<Args, O>] {
  return function call(...args) {
    const location = captureLocation(call)
    const wrt = options?.wrt ?? 0
    const positions = typeof wrt === 'number' ? [wrt] : wrt
    for (const position of positions)
      if (!Number.isInteger(position) || position < 0 || position >= args.length)
        throw new DifferentiationError(`wrt ${position}: ${name || 'the function'} was called with ${args.length} arguments`, location)
    let aux: Aux | undefined
    const { output, pull } = record(
      (...chosen: unknown[]) => {
        const all = [...args] as unknown[]
        positions.forEach((position, i) => (all[position] = chosen[i]))
        const [value, extra] = fn(...(all as unknown as Args))
        aux = extra
        return value
      },
      positions.map((position) => args[position]),
    )
    if (!(output instanceof Tensor) || output.rank !== 0 || !isFloat(output.dtype))
      throw new DifferentiationError(
        `the value to differentiate must be a float scalar, ${name || 'the function'} gave ${output instanceof Tensor ? shortType(output.type) : typeof output}`,
        location,
      )
    const gradients = pull([ones(output.type)]) as unknown[]
    return [[output, aux as Aux], (typeof wrt === 'number' ? gradients[0] : gradients) as GradientOf<Args, O>]
  }
}
