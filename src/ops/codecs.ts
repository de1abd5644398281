import { type Attribute, attributeText, quote, symbolText } from '../ir/attributes.ts'
import { DenseElements } from '../ir/dense.ts'
import type { AttributeCodec, OptionalCodec } from '../ir/op-definition.ts'
import { renameInAttribute } from '../ir/symbols.ts'
import { elementCount } from '../ir/types.ts'

/**
 * Codecs of the attribute kinds that ops share. Each is the TypeScript type, the printed form and the parsed form of an
 * attribute in one value. Integers of attributes are JavaScript numbers: they are sizes and positions.
 */

/** The attribute may be absent, which stands for `absent` if that is given. */
export const optional = <T>(codec: AttributeCodec<T>, absent?: T): OptionalCodec<T> => ({ ...codec, optional: true, ...(absent !== undefined && { absent }) })

/** Undefined for an integer that a JavaScript number does not hold exactly. */
const exact = (value: number): number | undefined => (Number.isSafeInteger(value) ? value : undefined)
const allExact = (values: number[] | undefined): number[] | undefined => (values?.every(Number.isSafeInteger) ? values : undefined)

const integerCodec = (type: string): AttributeCodec<number> => ({
  expected: `a ${type} integer`,
  print: (value) => `${value} : ${type}`,
  parse: (attribute) => (attribute.kind === 'integer' ? exact(Number(attribute.value)) : undefined),
})
export const i64 = integerCodec('i64')
export const i32 = integerCodec('i32')

const limitedInteger = (least: number, expected: string): AttributeCodec<number> => ({
  ...i64,
  expected,
  parse: (attribute) => {
    const value = i64.parse(attribute)
    return value === undefined || value < least ? undefined : value
  },
})
/** A position that cannot be counted from the end. */
export const axis = limitedInteger(0, '64-bit signless integer attribute whose value is non-negative')
export const positive = limitedInteger(1, '64-bit signless integer attribute whose value is positive')

export const bool: AttributeCodec<boolean> = {
  expected: 'true or false',
  print: String,
  parse: (attribute) =>
    attribute.kind === 'bool' ? attribute.value
      : attribute.kind === 'integer' && attribute.type === 'i1' ? attribute.value !== 0n
      : attribute.kind === 'unit' ? true
      : undefined,
}

/** There or not: `true` or absent. */
export const unit: AttributeCodec<true> = {
  expected: 'a unit attribute',
  print: () => 'unit',
  parse: (attribute) => (bool.parse(attribute) ? true : undefined),
}

export const float = (type: 'f32' | 'f64'): AttributeCodec<number> => ({
  expected: `a ${type} number`,
  print: (value) => attributeText({ kind: 'float', value, type }),
  parse: (attribute) => (attribute.kind === 'float' ? attribute.value : undefined),
})

export const string: AttributeCodec<string> = {
  expected: 'a string',
  print: quote,
  parse: (attribute) => (attribute.kind === 'string' ? attribute.value : undefined),
}

/** Elements of a constant that an attribute lists; undefined if the type claims more than any list has. */
function numbers(value: DenseElements): number[] | undefined {
  if (value.type.shape.some((size) => size > longestList) || elementCount(value.type.shape) > longestList) return undefined
  return allExact(Array.from(value.toArray().data as ArrayLike<number | bigint>, Number))
}
const longestList = 1_000_000

/** `array<i64: 1, 2>`; older text has `dense<[1, 2]> : tensor<2xi64>`. */
export const i64Array: AttributeCodec<readonly number[]> = {
  expected: 'an array of i64',
  print: (value) => (value.length ? `array<i64: ${value.join(', ')}>` : 'array<i64>'),
  parse: (attribute) =>
    attribute.kind === 'denseArray' ? (attribute.elementType === 'i64' ? allExact(attribute.elements.map(Number)) : undefined)
      : attribute.kind === 'dense' ? numbers(attribute.value)
      : undefined,
}

export const boolArray: AttributeCodec<readonly boolean[]> = {
  expected: 'an array of i1',
  print: (value) => (value.length ? `array<i1: ${value.join(', ')}>` : 'array<i1>'),
  parse: (attribute) =>
    attribute.kind === 'denseArray' ? attribute.elements.map((element) => element === true || element === 1n)
      : attribute.kind === 'dense' ? numbers(attribute.value)?.map((element) => element !== 0)
      : undefined,
}

/** `dense<...> : tensor<...>` */
export const dense: AttributeCodec<DenseElements> = {
  expected: 'a dense tensor',
  print: (value) => value.text(),
  parse: (attribute) => (attribute.kind === 'dense' ? attribute.value : undefined),
}

/** `dense<...> : tensor<...xi64>`. */
export const denseI64: AttributeCodec<DenseElements> = {
  ...dense,
  expected: 'a dense tensor of i64',
  parse: (attribute) => (attribute.kind === 'dense' && attribute.value.type.dtype === 'i64' ? attribute.value : undefined),
}

/** Integer matrix: `dense<[[0, 1], [2, 3]]> : tensor<2x2xi64>`, as rows. */
export const i64Matrix: AttributeCodec<readonly (readonly number[])[]> = {
  expected: 'a matrix of i64',
  print: (rows) => {
    const columns = rows[0]?.length ?? 0
    const body = rows.length === 0 || columns === 0 ? '' : `[${rows.map((row) => `[${row.join(', ')}]`).join(', ')}]`
    return `dense<${body}> : tensor<${rows.length}x${columns}xi64>`
  },
  parse: (attribute) => {
    if (attribute.kind !== 'dense' || attribute.value.type.shape.length !== 2 || attribute.value.type.dtype !== 'i64') return undefined
    const flat = numbers(attribute.value)
    const [rows, columns] = attribute.value.type.shape
    return flat && Array.from({ length: rows }, (_, i) => flat.slice(i * columns, (i + 1) * columns))
  },
}

/** `#stablehlo<name VALUE>`, or the bare word where an op's own form has it. */
export const enumeration = <const T extends string>(name: string, values: readonly T[]): AttributeCodec<T> & { readonly values: readonly T[] } => {
  const pattern = new RegExp(`^#(?:stablehlo|chlo)<${name}\\s+(\\w+)>$`)
  return {
    values,
    expected: `one of ${values.join(', ')}`,
    print: (value) => `#stablehlo<${name} ${value}>`,
    parse: (attribute) => {
      const word = attribute.kind === 'dialect' ? pattern.exec(attribute.text)?.[1] : attribute.kind === 'string' ? attribute.value : undefined
      return values.find((value) => value === word)
    },
  }
}

/** `[a, b]` of another codec's values. */
export const arrayOf = <T>(element: AttributeCodec<T>): AttributeCodec<readonly T[]> => ({
  expected: `an array of ${element.expected}`,
  print: (value) => `[${value.map((item) => element.print(item)).join(', ')}]`,
  parse: (attribute) => {
    if (attribute.kind !== 'array') return undefined
    const items = attribute.elements.map((item) => element.parse(item))
    return items.includes(undefined) ? undefined : (items as T[])
  },
  ...(element.rename && { rename: (value, rename) => value.map((item) => element.rename!(item, rename)) }),
})

/** `@name` */
export const symbol: AttributeCodec<string> = {
  expected: 'a symbol such as @main',
  print: (value) => `@${symbolText(value)}`,
  parse: (attribute) => (attribute.kind === 'symbol' ? attribute.name : undefined),
  rename: (value, rename) => rename(value),
}

/** Any attribute, kept as it is. */
export const anyAttribute: AttributeCodec<Attribute> = {
  expected: 'an attribute',
  print: attributeText,
  parse: (attribute) => attribute,
  rename: renameInAttribute,
}

/**
 * A struct attribute `#stablehlo.gather<offset_dims = [0], index_vector_dim = 1>`: integer lists and integers by name. Lists
 * that are empty and integers that are zero are not printed, as upstream does.
 */
export const dimensionStruct = <const L extends string, const I extends string>(name: string, lists: readonly L[], integers: readonly I[]):
  AttributeCodec<{ readonly [K in L]: readonly number[] } & { readonly [K in I]: number }> => ({
    expected: `#stablehlo.${name}<...>`,
    print: (value) => {
      const fields: string[] = []
      for (const field of lists) {
        const list: readonly number[] = value[field]
        if (list.length) fields.push(`${field} = [${list.join(', ')}]`)
      }
      for (const field of integers) if (value[field] !== 0) fields.push(`${field} = ${value[field] as number}`)
      return `#stablehlo.${name}<${fields.join(', ')}>`
    },
    parse: (attribute) => {
      if (attribute.kind !== 'dialect') return undefined
      const body = new RegExp(`^#stablehlo\\.${name}<([\\s\\S]*)>$`).exec(attribute.text)?.[1]
      if (body === undefined) return undefined
      const value: Record<string, number | number[]> = {}
      for (const field of lists) value[field] = []
      for (const field of integers) value[field] = 0
      const fieldPattern = /\s*(\w+)\s*=\s*(?:\[([^\]]*)\]|(-?\d+))\s*(,|$)/y
      while (fieldPattern.lastIndex < body.trimEnd().length) {
        const match = fieldPattern.exec(body)
        if (!match || !(match[1] in value)) return undefined
        if (match[2] !== undefined) value[match[1]] = match[2].trim() ? match[2].split(',').map(Number) : []
        else value[match[1]] = Number(match[3])
      }
      return value as never
    },
  })
