import { dtypes } from '../ir/dtypes.ts'
import type { InferContext } from '../ir/op-definition.ts'
import { DYNAMIC, type TensorType, shortType } from '../ir/types.ts'
import { type DotAlgorithm, type DotDimensionNumbers, type Precision, isKnownAlgorithm } from './dot-attributes.ts'
import { keepAxes, otherAxes } from './kept-axes.ts'
import { withShape } from './result-type.ts'

type Fail = InferContext<unknown>['fail']

/** Checks the axes of a contraction and gives the shape of its result, as a type of `lhs`'s element type. */
export function contractedType(lhs: TensorType, rhs: TensorType, numbers: DotDimensionNumbers, fail: Fail): TensorType {
  const { lhs_batching_dimensions: lb, rhs_batching_dimensions: rb, lhs_contracting_dimensions: lc, rhs_contracting_dimensions: rc } = numbers
  if (lb.length !== rb.length) fail(`lhs has ${lb.length} batching axes [${lb}], rhs ${rb.length} [${rb}]`, 'dot_general_c1')
  if (lc.length !== rc.length) fail(`lhs has ${lc.length} contracting axes [${lc}], rhs ${rc.length} [${rc}]`, 'dot_general_c2')
  const unique = (side: string, batching: readonly number[], contracting: readonly number[], rule: string) => {
    const all = [...batching, ...contracting]
    if (new Set(all).size !== all.length) fail(`batching axes [${batching}] and contracting axes [${contracting}] of ${side} name an axis twice`, rule)
  }
  unique('lhs', lb, lc, 'dot_general_c3')
  unique('rhs', rb, rc, 'dot_general_c4')
  const within = (what: string, axes: readonly number[], type: TensorType, rule: string) => {
    for (const axis of axes) if (axis < 0 || axis >= type.shape.length) fail(`${what} [${axes}] has axis ${axis}, ${shortType(type)} has rank ${type.shape.length}`, rule)
  }
  within('batching axes of lhs', lb, lhs, 'dot_general_c5')
  within('contracting axes of lhs', lc, lhs, 'dot_general_c6')
  within('batching axes of rhs', rb, rhs, 'dot_general_c7')
  within('contracting axes of rhs', rc, rhs, 'dot_general_c8')
  const matching = (what: string, left: readonly number[], right: readonly number[], rule: string) =>
    left.forEach((axis, i) => {
      const [a, b] = [lhs.shape[axis], rhs.shape[right[i]]]
      if (a !== b && a !== DYNAMIC && b !== DYNAMIC)
        fail(`${what} sizes differ: lhs ${shortType(lhs)} axis ${axis} is ${a}, rhs ${shortType(rhs)} axis ${right[i]} is ${b}`, rule)
    })
  matching('batching', lb, rb, 'dot_general_c9')
  matching('contracting', lc, rc, 'dot_general_c10')
  const left = keepAxes(lhs, lhs, [...lb, ...otherAxes(lhs.shape.length, [...lb, ...lc])])
  const right = keepAxes(lhs, rhs, otherAxes(rhs.shape.length, [...rb, ...rc]))
  const limits = (type: TensorType): readonly number[] => type.bounds ?? type.shape.map(() => DYNAMIC)
  return withShape(lhs, [...left.shape, ...right.shape], [...limits(left), ...limits(right)])
}

/** Checks element types; operands that are not quantized must have the same one, or be floats of 8 bits or less, which hardware mixes. */
export function checkElements(lhs: TensorType, rhs: TensorType, result: TensorType | undefined, numbers: DotDimensionNumbers, fail: Fail): void {
  if (!lhs.quantization && !rhs.quantization) {
    const [a, b] = [dtypes[lhs.dtype], dtypes[rhs.dtype]]
    const narrow = a.kind === 'float' && b.kind === 'float' && a.bits <= 8 && b.bits <= 8
    if (lhs.dtype !== rhs.dtype && !narrow) fail(`operands differ in element type: lhs ${shortType(lhs)}, rhs ${shortType(rhs)}; convert one of them`, 'dot_general_c13')
    if (result && dtypes[result.dtype].kind !== a.kind)
      fail(`the result ${shortType(result)} has another kind of element than the operands, ${shortType(lhs)}`, 'dot_general_c13')
    return
  }
  const q = rhs.quantization
  if (!q) return fail(`lhs ${shortType(lhs)} is quantized, rhs ${shortType(rhs)} is not`, 'dot_general_c14')
  if (q.zeroPoints.some((zero) => zero !== 0n)) fail(`zero points of rhs ${shortType(rhs)} must be 0`, 'dot_general_c15')
  if (q.axis !== undefined && numbers.rhs_contracting_dimensions.includes(q.axis))
    fail(`rhs ${shortType(rhs)} is quantized along axis ${q.axis}, which is contracted`, 'dot_general_c16')
  if (!lhs.quantization) {
    if (lhs.dtype !== q.expressed || (result && result.dtype !== q.expressed))
      fail(`rhs ${shortType(rhs)} stands for ${q.expressed}, but lhs is ${shortType(lhs)}${result ? ` and the result ${shortType(result)}` : ''}`, 'dot_general_c20')
    return
  }
  if (lhs.dtype !== rhs.dtype) fail(`storage types differ: lhs ${shortType(lhs)}, rhs ${shortType(rhs)}`, 'dot_general_c17')
  if (lhs.quantization.expressed !== q.expressed || (result?.quantization && result.quantization.expressed !== q.expressed))
    fail(`expressed types differ: lhs ${shortType(lhs)}, rhs ${shortType(rhs)}${result ? `, result ${shortType(result)}` : ''}`, 'dot_general_c18')
  if (q.axis === undefined && result?.quantization?.axis !== undefined)
    fail(`rhs ${shortType(rhs)} has one scale, so the result must have one: ${shortType(result)}`, 'dot_general_c19')
}

/** Checks the number of precisions, and the algorithm if there is one. */
export function checkPrecision(config: readonly Precision[] | undefined, algorithm: DotAlgorithm | undefined, fail: Fail): void {
  if (config && config.length > 2) fail(`precision_config has ${config.length} entries, must have one for each operand`, 'dot_general_c11')
  if (!algorithm) return
  if (config?.some((precision) => precision !== 'DEFAULT'))
    fail(`precision_config [${config.join(', ')}] must be DEFAULT when an algorithm is set`, 'dot_general_c21')
  if (algorithm.lhs_component_count <= 0) fail(`lhs_component_count is ${algorithm.lhs_component_count}, must be positive`, 'dot_general_c22')
  if (algorithm.rhs_component_count <= 0) fail(`rhs_component_count is ${algorithm.rhs_component_count}, must be positive`, 'dot_general_c23')
  if (algorithm.num_primitive_operations <= 0) fail(`num_primitive_operations is ${algorithm.num_primitive_operations}, must be positive`, 'dot_general_c24')
  if (!isKnownAlgorithm(algorithm))
    fail(
      `no hardware is known to have this algorithm: ${algorithm.lhs_precision_type} x ${algorithm.rhs_precision_type} -> ${algorithm.accumulation_type}, ` +
        `${algorithm.lhs_component_count} and ${algorithm.rhs_component_count} components, ${algorithm.num_primitive_operations} primitive operations` +
        (algorithm.allow_imprecise_accumulation ? ', imprecise accumulation' : ''),
      'dot_general_i10',
    )
}
