import { type DType, dtypes } from '../ir/dtypes.ts'
import { TraceError } from '../ir/errors.ts'
import { type Region, Tensor } from '../ir/module.ts'
import type { InferContext, VjpContext } from '../ir/op-definition.ts'
import { type Type, isTensorType, typeText } from '../ir/types.ts'
import { emit } from '../trace/emit.ts'
import { buildRegion } from '../trace/frame.ts'
import { type TreeStructure, flatten, unflatten } from '../trace/tree.ts'
import { compatibleTypes } from './elementwise-rules.ts'
import { zeros } from './constant.ts'
import { defineOp } from './define.ts'
import { needTensorsOrTokens } from './result-type.ts'
import { emitReturn } from './return.ts'
import { evaluateSteps, run } from './steps.ts'

/** Conditional execution: `if`, `case`, and the builders `cond` and `switchCase`. */

const isTensor = (value: unknown): value is Tensor => value instanceof Tensor

/** Types that a region returns. */
export const returnedTypes = (region: Region): Type[] => region.block.terminator?.operands.map((operand) => operand.type) ?? []

const quoted = (types: readonly Type[]): string => types.map((type) => `'${typeText(type)}'`).join(', ')

function inferBranches({ operands, regions, results, fail }: InferContext<unknown>, name: 'if' | 'case', dtype: DType): readonly Type[] {
  const [index] = operands
  if (!isTensorType(index) || index.dtype !== dtype) fail(`operand #0 must be tensor of ${dtypes[dtype].text}, but got '${typeText(index)}'`, `${name}_i1`)
  else if (index.shape.length > 0) fail(`operand should be rank 0 tensor but got rank ${index.shape.length}`, `${name}_i1`)
  needTensorsOrTokens(results ?? [], 'result', fail)
  if (regions.length === 0) fail('expect at least one branch', 'case_c1')
  const first = returnedTypes(regions[0])
  regions.forEach((region, i) => {
    const count = region.block.arguments.length
    if (count) fail(`branch ${i} must have 0 arguments, but found ${count}`, name === 'if' ? 'if_c1' : 'case_c2')
    const types = returnedTypes(region)
    if (!compatibleTypes(types, first))
      fail(`branch 0 and branch ${i} have mismatched return types: ${quoted(first)} vs ${quoted(types)}`, name === 'if' ? 'if_c2' : 'case_c3')
  })
  if (results && !compatibleTypes(first, results))
    fail(`inferred type(s) ${quoted(first)} are incompatible with return type(s) of operation ${quoted(results)}`, name === 'if' ? 'if_c3' : 'case_c4')
  return results ?? first
}

/** The gradient of a choice is the same choice between the branches' gradients. */
function branchGradients(context: VjpContext<unknown>, choose: (branches: readonly (() => readonly Tensor[])[]) => readonly Tensor[]): void {
  const { regions, cotangents, activeCaptures, pullback, accumulate } = context
  const captures = activeCaptures(regions)
  if (captures.length === 0) return
  const branches = regions.map((region) => () =>
    pullback(region, [], () => cotangents, { captured: captures }).captured.map((cotangent, i) => cotangent ?? zeros(captures[i].type)),
  )
  choose(branches).forEach((cotangent, i) => accumulate(captures[i], cotangent))
}

/** Source: specification, "if". */
export const ifOp = defineOp({
  name: 'stablehlo.if',
  operands: ['pred'],
  results: ['results...'],
  regions: ['true_branch', 'false_branch'],
  attributes: {},
  assembly: 'generic',
  infer: (context) => inferBranches(context, 'if', 'bool'),
  *steps({ arrays: [pred], regions }) {
    return yield run(regions[pred.data[0] ? 0 : 1], [])
  },
  evaluate: evaluateSteps,
  vjp: (context) => {
    branchGradients(context, ([onTrue, onFalse]) => emitIf(context.operands[0], onTrue, onFalse))
    return [null]
  },
})

function emitIf(pred: Tensor, onTrue: () => readonly Tensor[], onFalse: () => readonly Tensor[]): Tensor[] {
  const regions = [onTrue, onFalse].map((branch, i) =>
    buildRegion(`${i ? 'false' : 'true'} branch of if`, [], () => emitReturn(branch())),
  )
  return [...emit(ifOp, [pred], {}, { regions }).results] as Tensor[]
}

/** Runs branches that give trees, and checks that the trees are alike. */
function branchTrees<R>(branches: readonly (() => R)[], names: readonly string[]): { build: (() => Tensor[])[]; structure: () => TreeStructure } {
  let structure: TreeStructure | undefined
  const build = branches.map((branch, i) => () => {
    const flat = flatten(branch(), isTensor, `the result of the ${names[i]}`)
    if (structure && JSON.stringify(structure) !== JSON.stringify(flat.structure))
      throw new TraceError(`branches return different structures: the ${names[i]} differs from the ${names[0]}`, 'BAD_TREE')
    structure ??= flat.structure
    return flat.leaves
  })
  return { build, structure: () => structure! }
}

/**
 * Runs one of two functions, as `pred` (`bool[]`) says when the program runs: `cond(p, () => x.add(1), () => x)`. Both give
 * trees of the same structure and types; they may use tensors from outside. Throws `OpError`, `TraceError`.
 */
export function cond<R>(pred: Tensor, onTrue: () => R, onFalse: () => R): R {
  const { build, structure } = branchTrees([onTrue, onFalse], ['true branch', 'false branch'])
  const results = emitIf(pred, build[0], build[1])
  return unflatten(structure(), results) as R
}

/** Source: specification, "case". */
export const caseOp = defineOp({
  name: 'stablehlo.case',
  operands: ['index'],
  results: ['results...'],
  regions: ['branches...'],
  attributes: {},
  assembly: 'generic',
  infer: (context) => inferBranches(context, 'case', 'i32'),
  *steps({ arrays: [index], regions }) {
    const i = Number(index.data[0])
    return yield run(regions[i >= 0 && i < regions.length ? i : regions.length - 1], [])
  },
  evaluate: evaluateSteps,
  vjp: (context) => {
    branchGradients(context, (branches) => emitCase(context.operands[0], branches))
    return [null]
  },
})

function emitCase(index: Tensor, branches: readonly (() => readonly Tensor[])[]): Tensor[] {
  const regions = branches.map((branch, i) => buildRegion(`branch ${i} of case`, [], () => emitReturn(branch())))
  return [...emit(caseOp, [index], {}, { regions }).results] as Tensor[]
}

/**
 * Runs the function that `index` (`i32[]`) names; an index out of range runs the last. Branches give trees of the same
 * structure and types. Throws `OpError`, `TraceError`.
 */
export function switchCase<R>(index: Tensor, branches: readonly (() => R)[]): R {
  const { build, structure } = branchTrees(branches, branches.map((_, i) => `branch ${i}`))
  const results = emitCase(index, build)
  return unflatten(structure(), results) as R
}
