import { type WindowAxis, windowCount } from '../host/windows.ts'
import { InputError, OpError } from '../ir/errors.ts'
import type { InferContext, OptionalCodec } from '../ir/op-definition.ts'
import { DYNAMIC, type TensorType, typeText } from '../ir/types.ts'
import { captureLocation } from '../trace/frame.ts'
import * as codec from './codecs.ts'

/** Attributes of ops that move a window over their operand; absent lists stand for ones, absent padding for none. */
export interface WindowAttributes {
  readonly window_dimensions: readonly number[]
  readonly window_strides?: readonly number[] | undefined
  readonly base_dilations?: readonly number[] | undefined
  readonly window_dilations?: readonly number[] | undefined
  readonly padding?: readonly (readonly number[])[] | undefined
}

/** The window along each axis. */
export const windowOf = (attributes: WindowAttributes): WindowAxis[] =>
  attributes.window_dimensions.map((size, axis) => ({
    size,
    stride: attributes.window_strides?.[axis] ?? 1,
    low: attributes.padding?.[axis]?.[0] ?? 0,
    high: attributes.padding?.[axis]?.[1] ?? 0,
    baseDilation: attributes.base_dilations?.[axis] ?? 1,
    windowDilation: attributes.window_dilations?.[axis] ?? 1,
  }))

/** Padding before and after each axis, a row each. */
export const paddingRows: OptionalCodec<readonly (readonly number[])[]> = {
  ...codec.optional(codec.i64Matrix),
  parse: (attribute) => {
    const shape = attribute.kind === 'dense' ? attribute.value.type.shape : undefined
    if (shape && shape.length !== 2) throw new InputError(`expects the shape of padding-attribute to be {N, 2}, but got {${shape.join(', ')}}.`)
    return codec.i64Matrix.parse(attribute)
  },
}

/** Ids of the constraints on a window's attributes; dilations are absent where the op has none. */
export interface WindowRules {
  /** What messages call the operand. */
  readonly operand: 'input' | 'operand'
  readonly rank: string
  readonly size: string
  readonly strideCount: string
  readonly stride: string
  readonly padding: string
  readonly baseDilationCount?: string
  readonly baseDilation?: string
  readonly windowDilationCount?: string
  readonly windowDilation?: string
}

/** Checks the attributes against the operand and gives the sizes of the result. */
export function windowPlaces(operand: TensorType, attributes: WindowAttributes, rules: WindowRules, fail: InferContext<unknown>['fail']): number[] {
  const sizes = attributes.window_dimensions
  const rank = operand.shape.length
  if (sizes.length !== rank)
    fail(`expects window-dimensions size == ${rules.operand} rank, but got window-dimensions size: ${sizes.length} and ${rules.operand === 'input' ? 'input' : 'operand-type'}: '${typeText(operand)}' with rank = ${rank}.`, rules.rank)
  const positive = (name: string, what: string, values: readonly number[] | undefined, countRule: string | undefined, rule: string | undefined) => {
    if (!values) return
    if (values.length !== rank) fail(`expects ${name} to have same dimension-size as size of window dimensions (${rank}), but got: ${values.length}.`, countRule)
    values.forEach((value, axis) => {
      if (value <= 0) fail(`expects window to have positive ${what} for ${axis}-th window dimension, but got ${value}.`, rule)
    })
  }
  const { padding } = attributes
  if (padding?.some((row) => row.length !== 2)) fail(`expects the shape of padding-attribute to be {N, 2}, but got {${padding.length}, ${padding[0].length}}.`, rules.padding)
  if (padding && padding.length !== rank) fail(`expects padding-entries to have same dimension-size as size of window dimensions (${rank}), but got: ${padding.length}.`, rules.padding)
  positive('window-dimensions', 'value', sizes, rules.rank, rules.size)
  positive('window-strides', 'stride', attributes.window_strides, rules.strideCount, rules.stride)
  positive('base-dilation factors', 'base dilation factor', attributes.base_dilations, rules.baseDilationCount, rules.baseDilation)
  positive('window-dilation factors', 'window dilation factor', attributes.window_dilations, rules.windowDilationCount, rules.windowDilation)
  return windowOf(attributes).map((axis, i) => (operand.shape[i] === DYNAMIC ? DYNAMIC : windowCount(operand.shape[i], axis)))
}

export interface WindowOptions {
  /** Steps from one place of the window to the next; 1 if absent. */
  readonly strides?: readonly number[]
  /** Padding before and after each axis; `same` gives as many places as elements divided by the stride, rounded up. `valid` (none) if absent. */
  readonly padding?: 'same' | 'valid' | readonly (readonly [number, number])[]
  /** Spacing of the operand's elements, with holes in between that have the initial value; 1 if absent. */
  readonly baseDilations?: readonly number[]
  /** Spacing of the window's elements; 1 if absent. */
  readonly windowDilations?: readonly number[]
}

/** Attributes from what users write. Throws `OpError` if a list has not the length of the shape. */
export function windowAttributes(op: string, shape: readonly number[], sizes: readonly number[], options: WindowOptions): Required<WindowAttributes> {
  const list = (name: string, values: readonly number[] | undefined): readonly number[] => {
    if (values && values.length !== shape.length) throw new OpError(op, `${name} [${values}] needs an entry for each of ${shape.length} axes`, undefined, captureLocation(windowAttributes))
    return values ?? shape.map(() => 1)
  }
  const attributes = {
    window_dimensions: list('the window', sizes),
    window_strides: list('strides', options.strides),
    base_dilations: list('baseDilations', options.baseDilations),
    window_dilations: list('windowDilations', options.windowDilations),
  }
  const { padding = 'valid' } = options
  if (typeof padding !== 'string') return { ...attributes, padding }
  const window = windowOf(attributes)
  return {
    ...attributes,
    padding: window.map((axis, i) => {
      if (padding === 'valid') return [0, 0]
      const size = shape[i] === 0 ? 0 : (shape[i] - 1) * axis.baseDilation + 1
      const reach = (axis.size - 1) * axis.windowDilation + 1
      const needed = Math.max((Math.ceil(size / axis.stride) - 1) * axis.stride + reach - size, 0)
      return [Math.floor(needed / 2), Math.ceil(needed / 2)]
    }),
  }
}
