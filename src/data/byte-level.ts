/**
 * The alphabet of byte-level tokenizers: one printable character for each byte. Printable ASCII and Latin-1 bytes stand for themselves, the
 * others for the characters from U+0100 on, in order. Source: Radford et al. 2019 (GPT-2), section 2.2.
 */
const alphabet: readonly string[] = (() => {
  const printable = (byte: number): boolean => (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || (byte >= 0xae && byte <= 0xff)
  let next = 0x100
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(printable(byte) ? byte : next++))
})()

const bytesOfCharacters = new Map(alphabet.map((character, byte) => [character, byte]))

/** The character that stands for a byte. */
export const characterOfByte = (byte: number): string => alphabet[byte]

/** The bytes that a token's characters stand for; undefined if one of them is outside the alphabet. */
export function bytesOfToken(token: string): Uint8Array | undefined {
  const bytes = new Uint8Array(token.length)
  for (let i = 0; i < token.length; i++) {
    const byte = bytesOfCharacters.get(token[i])
    if (byte === undefined) return undefined
    bytes[i] = byte
  }
  return bytes
}

/** A run of bytes: text, or bytes that are no UTF-8. */
export type TextRun = { readonly text: string } | { readonly invalid: Uint8Array }

/** Divides bytes into text and what is not UTF-8, in order, nothing lost: `encode` of each text and the invalid bytes give the bytes again. */
export function textRuns(bytes: Uint8Array): TextRun[] {
  try {
    return bytes.length === 0 ? [] : [{ text: decoder.decode(bytes) }]
  } catch {
    return mixedRuns(bytes)
  }
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function mixedRuns(bytes: Uint8Array): TextRun[] {
  const runs: TextRun[] = []
  for (let at = 0; at < bytes.length; ) {
    const from = at
    for (let size = sequenceLength(bytes, at); size > 0; size = sequenceLength(bytes, at)) at += size
    if (at > from) runs.push({ text: decoder.decode(bytes.subarray(from, at)) })
    const invalidFrom = at
    while (at < bytes.length && sequenceLength(bytes, at) === 0) at++
    if (at > invalidFrom) runs.push({ invalid: bytes.subarray(invalidFrom, at) })
  }
  return runs
}

/** Bytes of the UTF-8 sequence at `at`; 0 if there is none. Source: The Unicode Standard, table 3-7. */
function sequenceLength(bytes: Uint8Array, at: number): number {
  const first = bytes[at]
  if (first === undefined) return 0
  if (first < 0x80) return 1
  const length = first >= 0xc2 && first <= 0xdf ? 2 : first >= 0xe0 && first <= 0xef ? 3 : first >= 0xf0 && first <= 0xf4 ? 4 : 0
  if (length === 0 || at + length > bytes.length) return 0
  const lowest = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80
  const highest = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf
  if (bytes[at + 1] < lowest || bytes[at + 1] > highest) return 0
  for (let i = 2; i < length; i++) if ((bytes[at + i] & 0xc0) !== 0x80) return 0
  return length
}
