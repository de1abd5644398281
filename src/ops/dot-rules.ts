import { dtypes } from '../ir/dtypes.ts'
import type { InferContext } from '../ir/op-definition.ts'
import { DYNAMIC, type TensorType, shortType } from '../ir/types.ts'
import { type DotAlgorithm, type DotDimensionNumbers, type Precision, algorithmFault } from './dot-attributes.ts'
import { keepAxes, otherAxes } from './kept-axes.ts'
import { checkContraction } from './quantized-rules.ts'
import { withShape } from './result-type.ts'

type Fail = InferContext<unknown>['fail']

/** Checks the axes of a contraction and gives the shape of its result, as a type of `lhs`'s element type. */
export function contractedType(lhs: TensorType, rhs: TensorType, numbers: DotDimensionNumbers, fail: Fail): TensorType {
  const { lhs_batching_dimensions: lb, rhs_batching_dimensions: rb, lhs_contracting_dimensions: lc, rhs_contracting_dimensions: rc } = numbers
  if (lb.length !== rb.length) fail(`lhs and rhs should have the same number of batching dimensions, got [${lb}] and [${rb}]`, 'dot_general_c1')
  if (lc.length !== rc.length) fail(`lhs and rhs should have the same number of contracting dimensions, got [${lc}] and [${rc}]`, 'dot_general_c2')
  const unique = (side: string, batching: readonly number[], contracting: readonly number[], rule: string) => {
    const all = [...batching, ...contracting]
    const twice = all.find((axis, i) => all.indexOf(axis) !== i)
    if (twice !== undefined) fail(`has duplicated dimension from ${side}_batching_dimensions and ${side}_contracting_dimensions: ${twice}`, rule)
  }
  unique('lhs', lb, lc, 'dot_general_c3')
  unique('rhs', rb, rc, 'dot_general_c4')
  const within = (name: string, axes: readonly number[], { shape }: TensorType, rule: string) => {
    for (const axis of axes) if (axis < 0 || axis >= shape.length) fail(`${name} value: ${axis} is out of range: [0, ${shape.length})`, rule)
  }
  within('lhs_batching_dimensions', lb, lhs, 'dot_general_c5')
  within('lhs_contracting_dimensions', lc, lhs, 'dot_general_c6')
  within('rhs_batching_dimensions', rb, rhs, 'dot_general_c7')
  within('rhs_contracting_dimensions', rc, rhs, 'dot_general_c8')
  const matching = (what: string, left: readonly number[], right: readonly number[], rule: string) =>
    left.forEach((axis, i) => {
      const [a, b] = [lhs.shape[axis], rhs.shape[right[i]]]
      if (a !== b && a !== DYNAMIC && b !== DYNAMIC)
        fail(
          `${what} dimension sizes must match for lhs/rhs: lhs ${shortType(lhs)} axis ${axis} is ${a}, rhs ${shortType(rhs)} axis ${right[i]} is ${b}`,
          rule,
        )
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
  if (q?.zeroPoints.some((zero) => zero !== 0n)) fail(q.axis === undefined ? 'Zero point of rhs should be 0' : 'Zero points of rhs should be 0', 'dot_general_c15')
  if (q?.axis !== undefined && numbers.rhs_contracting_dimensions.includes(q.axis))
    fail('Quantization dimension of rhs should not be in the contracting dimension of rhs', 'dot_general_c16')
  const rules = { quantized: 'dot_general_c14', storage: 'dot_general_c17', expressed: 'dot_general_c18', granularity: 'dot_general_c19', mixed: 'dot_general_c20' }
  checkContraction(lhs, rhs, result, rules, fail)
}

/** Checks the number of precisions, and the algorithm if there is one. */
export function checkPrecision(config: readonly Precision[] | undefined, algorithm: DotAlgorithm | undefined, fail: Fail): void {
  if (config && config.length > 2) fail(`expects precision config to be empty or have <= 2 elements, got ${config.length}`, 'dot_general_c11')
  if (!algorithm) return
  if (config?.some((precision) => precision !== 'DEFAULT'))
    fail(`must specify DEFAULT precision config when algorithm is set, got ${config.join(', ')}`, 'dot_general_c21')
  const fault = algorithmFault(algorithm)
  if (fault) fail(fault.detail, fault.rule)
}
