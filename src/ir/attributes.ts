import type { DenseElements } from './dense.ts'
import { type Type, doubleText, typeText } from './types.ts'

/**
 * MLIR attributes as a syntax tree: what the parser reads before an op's codec gives it a TypeScript type, and the form in
 * which attributes that no op knows are kept.
 */
export type Attribute =
  | { readonly kind: 'integer'; readonly value: bigint; readonly type: string }
  | { readonly kind: 'float'; readonly value: number; readonly type: string; readonly hex?: string }
  | { readonly kind: 'bool'; readonly value: boolean }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'unit' }
  | { readonly kind: 'array'; readonly elements: readonly Attribute[] }
  | { readonly kind: 'denseArray'; readonly elementType: string; readonly elements: readonly (bigint | number | boolean)[] }
  | { readonly kind: 'dense'; readonly value: DenseElements }
  | { readonly kind: 'dictionary'; readonly entries: Readonly<Record<string, Attribute>> }
  | { readonly kind: 'symbol'; readonly name: string }
  | { readonly kind: 'type'; readonly type: Type }
  /** An attribute of a dialect, as its text: `#stablehlo<precision DEFAULT>`, `#sdy.sharding<@mesh, [{"data"}]>`. */
  | { readonly kind: 'dialect'; readonly text: string }

export const integerAttribute = (value: number | bigint, type = 'i64'): Attribute => ({ kind: 'integer', value: BigInt(value), type })
export const boolAttribute = (value: boolean): Attribute => ({ kind: 'bool', value })
export const stringAttribute = (value: string): Attribute => ({ kind: 'string', value })
export const floatAttribute = (value: number, type = 'f64'): Attribute => ({ kind: 'float', value, type })
export const unitAttribute: Attribute = { kind: 'unit' }

/** A string literal with MLIR's escapes. */
export function quote(text: string): string {
  let out = '"'
  for (const byte of bytesOf(text)) {
    if (byte === 0x22 || byte === 0x5c) out += '\\' + String.fromCharCode(byte)
    else if (byte < 0x20 || byte >= 0x7f) out += '\\' + byte.toString(16).toUpperCase().padStart(2, '0')
    else out += String.fromCharCode(byte)
  }
  return out + '"'
}

/** UTF-8; the lone surrogates U+DC80 to U+DCFF stand for the bytes 0x80 to 0xFF of a string that is no UTF-8. */
function bytesOf(text: string): Uint8Array {
  if (!/[\udc80-\udcff]/.test(text)) return Buffer.from(text, 'utf8')
  return Buffer.concat(
    Array.from(text, (character) => {
      const code = character.codePointAt(0)!
      return code >= 0xdc80 && code <= 0xdcff ? Buffer.of(code - 0xdc00) : Buffer.from(character, 'utf8')
    }),
  )
}

/** A name after `@` or as a dictionary key: bare if it can be. */
export const symbolText = (name: string): string => (/^[A-Za-z_][\w$.]*$/.test(name) ? name : quote(name))

/** An attribute in MLIR text. */
export function attributeText(attribute: Attribute): string {
  switch (attribute.kind) {
    case 'integer':
      return `${attribute.value} : ${attribute.type}`
    case 'float':
      return `${attribute.hex ?? doubleText(attribute.value)} : ${attribute.type}`
    case 'bool':
      return String(attribute.value)
    case 'string':
      return quote(attribute.value)
    case 'unit':
      return 'unit'
    case 'array':
      return `[${attribute.elements.map(attributeText).join(', ')}]`
    case 'denseArray':
      return attribute.elements.length === 0
        ? `array<${attribute.elementType}>`
        : `array<${attribute.elementType}: ${attribute.elements.map(String).join(', ')}>`
    case 'dense':
      return attribute.value.text()
    case 'dictionary':
      return dictionaryText(attribute.entries)
    case 'symbol':
      return `@${symbolText(attribute.name)}`
    case 'type':
      return typeText(attribute.type)
    case 'dialect':
      return attribute.text
  }
}

/** `{a = 1 : i64, b}`. */
export const dictionaryText = (entries: Readonly<Record<string, Attribute>>): string =>
  `{${Object.entries(entries).map(([name, value]) => entryText(name, value)).join(', ')}}`

export const entryText = (name: string, value: Attribute): string =>
  value.kind === 'unit' ? symbolText(name) : `${symbolText(name)} = ${attributeText(value)}`
