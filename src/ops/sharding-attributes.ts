import { quote, symbolText } from '../ir/attributes.ts'
import type { Attribute } from '../ir/attributes.ts'
import type { AttributeCodec } from '../ir/op-definition.ts'

/** How tensors lie on the devices of a mesh, as attributes. Source: Shardy, `attrs.td`. */

/** An axis of a mesh, or a part of it: `"x"`, `"x":(2)4`. */
export interface AxisReference {
  readonly name: string
  readonly sub?: { readonly preSize: number; readonly size: number }
}

export interface DimensionSharding {
  /** The dimension is split along these, the first one outermost. */
  readonly axes: readonly AxisReference[]
  /** The compiler may split it further. */
  readonly open?: boolean
  readonly priority?: number
}

/** `<@mesh, [{"x"}, {}], replicated={"y"}>` */
export interface TensorSharding {
  /** The mesh's symbol; or, as its text, a mesh written out. */
  readonly mesh: string
  /** One per dimension of the tensor. */
  readonly dimensions: readonly DimensionSharding[]
  /** Axes along which all devices have the same, and must keep it. */
  readonly replicated?: readonly AxisReference[]
  readonly unreduced?: readonly AxisReference[]
}

const axisText = ({ name, sub }: AxisReference): string => quote(name) + (sub ? `:(${sub.preSize})${sub.size}` : '')
const dimensionText = ({ axes, open, priority }: DimensionSharding): string =>
  `{${[...axes.map(axisText), ...(open ? ['?'] : [])].join(', ')}}${priority === undefined ? '' : `p${priority}`}`

/** `<@mesh, [{"x"}, {}]>` */
export function shardingText({ mesh, dimensions, replicated, unreduced }: TensorSharding): string {
  const list = (name: string, axes: readonly AxisReference[] | undefined): string => (axes?.length ? `, ${name}={${axes.map(axisText).join(', ')}}` : '')
  const symbol = mesh.startsWith('mesh<') ? mesh : `@${symbolText(mesh)}`
  return `<${symbol}, [${dimensions.map(dimensionText).join(', ')}]${list('replicated', replicated)}${list('unreduced', unreduced)}>`
}

/** Thrown while a text is read, and turned into undefined: the attribute is of another kind. */
class NotThis extends Error {}

/** Reads the texts above. */
class ShardingReader {
  readonly #text: string
  #at = 0
  constructor(text: string) {
    this.#text = text
  }

  /** Consumes what the pattern matches, after space. */
  take(pattern: RegExp): RegExpExecArray | undefined {
    const sticky = new RegExp(`\\s*${pattern.source}`, 'y')
    sticky.lastIndex = this.#at
    const match = sticky.exec(this.#text)
    if (match) this.#at = sticky.lastIndex
    return match ?? undefined
  }
  need(pattern: RegExp): RegExpExecArray {
    return this.take(pattern) ?? fail()
  }
  end(): void {
    this.need(/$/)
  }

  /** Elements between brackets, with commas between them. */
  list<T>(open: RegExp, close: RegExp, element: () => T): T[] {
    const elements: T[] = []
    this.need(open)
    if (this.take(close)) return elements
    do elements.push(element())
    while (this.take(/,/))
    this.need(close)
    return elements
  }

  axis(): AxisReference {
    const name = this.need(/"([^"\\]*)"/)[1]
    const sub = this.take(/:\((\d+)\)(\d+)/)
    return sub ? { name, sub: { preSize: Number(sub[1]), size: Number(sub[2]) } } : { name }
  }

  axes(): AxisReference[] {
    return this.list(/\{/, /\}/, () => this.axis())
  }

  dimension(): DimensionSharding {
    const parts = this.list(/\{/, /\}/, () => (this.take(/\?/) ? undefined : this.axis()))
    const axes = parts.filter((part) => part !== undefined)
    // The question mark stands last.
    if (axes.length < parts.length - 1 || (axes.length < parts.length && parts.at(-1) !== undefined)) fail()
    const priority = this.take(/p(\d+)/)
    return { axes, ...(axes.length < parts.length ? { open: true } : {}), ...(priority ? { priority: Number(priority[1]) } : {}) }
  }

  sharding(): TensorSharding {
    this.need(/</)
    const symbol = this.take(/@(?:"([^"\\]*)"|([\w$.]+))/)
    const mesh = symbol ? (symbol[1] ?? symbol[2]) : this.need(/(mesh<[^>]*>)/)[1]
    this.need(/,/)
    const dimensions = this.list(/\[/, /\]/, () => this.dimension())
    const replicated = this.take(/,\s*replicated\s*=/) ? this.axes() : undefined
    const unreduced = this.take(/,\s*unreduced\s*=/) ? this.axes() : undefined
    this.need(/>/)
    return { mesh, dimensions, ...(replicated ? { replicated } : {}), ...(unreduced ? { unreduced } : {}) }
  }
}

function fail(): never {
  throw new NotThis()
}

/** A codec of an attribute that is written as `prefix` and what `print` gives. */
const textCodec = <T>(expected: string, prefix: string, print: (value: T) => string, read: (reader: ShardingReader) => T): AttributeCodec<T> => ({
  expected,
  print: (value) => prefix + print(value),
  parse: (attribute) => {
    if (attribute.kind !== 'dialect' || !attribute.text.startsWith(prefix)) return undefined
    try {
      const reader = new ShardingReader(attribute.text.slice(prefix.length))
      const value = read(reader)
      reader.end()
      return value
    } catch (error) {
      if (error instanceof NotThis) return undefined
      throw error
    }
  },
})

/** `#sdy.sharding<@mesh, [{"x"}, {}]>` */
export const tensorSharding: AttributeCodec<TensorSharding> = textCodec('a sharding', '#sdy.sharding', shardingText, (reader) => reader.sharding())

/** `[<@mesh, [{"x"}, {}]>, ...]` */
export const shardingsText = (shardings: readonly TensorSharding[]): string => `[${shardings.map(shardingText).join(', ')}]`

/** `#sdy.sharding_per_value<[<@mesh, [{"x"}, {}]>, ...]>` */
export const valueShardings: AttributeCodec<readonly TensorSharding[]> = textCodec(
  'a sharding per value',
  '#sdy.sharding_per_value<',
  (shardings) => `${shardingsText(shardings)}>`,
  (reader) => {
    const shardings = reader.list(/\[/, /\]/, () => reader.sharding())
    reader.need(/>/)
    return shardings
  },
)

/** `{"x", "y"}` */
export const axisNamesText = (names: readonly string[]): string => `{${names.map(quote).join(', ')}}`

/** `#sdy<manual_axes{"x", "y"}>` */
export const manualAxes: AttributeCodec<readonly string[]> = textCodec(
  'names of axes',
  '#sdy<manual_axes',
  (names) => `${axisNamesText(names)}>`,
  (reader) => {
    const names = reader.list(/\{/, /\}/, () => reader.need(/"([^"\\]*)"/)[1])
    reader.need(/>/)
    return names
  },
)

/** The attribute by which arguments, results and ops carry a sharding, under the name `sdy.sharding`. */
export const shardingAttribute = (sharding: TensorSharding): Attribute => ({ kind: 'dialect', text: tensorSharding.print(sharding) })
