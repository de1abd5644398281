/** Text made safe for HTML, in content and in attributes between double quotes. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`)
}

/**
 * A value as JSON that may stand inside a `<script>` element: nothing in it can end the element or begin a comment, and it is
 * JavaScript as well as JSON. Source: HTML Living Standard, 4.12.1.3 (restrictions for contents of script elements).
 */
export function scriptSafeJson(value: unknown): string {
  return JSON.stringify(value).replace(/[<>&\u2028\u2029]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

/** Plain text as HTML paragraphs: blank lines part them, `backticks` set code. */
export function paragraphs(text: string): string {
  return text.split(/\n\s*\n/).map((part) => part.trim()).filter((part) => part !== '')
    .map((part) => `<p>${escapeHtml(part).replace(/`([^`]+)`/g, '<code>$1</code>')}</p>`).join('\n')
}

/** A number for people: four significant digits or all of an integer, with a thin space between thousands; `NaN` and `∞` by name. */
export function formatNumber(value: number): string {
  if (Number.isNaN(value)) return 'NaN'
  if (!Number.isFinite(value)) return value > 0 ? '∞' : '−∞'
  const size = Math.abs(value)
  if (size !== 0 && (size < 1e-3 || size >= 1e12)) return value.toExponential(3).replace(/\.?0+e/, 'e').replace('e+', 'e').replaceAll('-', '−')
  const text = Number.isInteger(value) ? String(size) : String(Number(size.toPrecision(size >= 1000 ? Math.floor(Math.log10(size)) + 1 : 4)))
  const [whole, fraction] = text.split('.')
  const grouped = whole.length > 4 ? whole.replace(/\B(?=(\d{3})+$)/g, '\u202f') : whole
  return `${value < 0 ? '−' : ''}${grouped}${fraction === undefined ? '' : `.${fraction}`}`
}

/**
 * The numbers of one table column as text: like formatNumber, but with as many decimals in each as the one that needs most, so
 * that the digits stand under each other.
 */
export function formatColumn(values: readonly number[]): string[] {
  const texts = values.map(formatNumber)
  const decimals = Math.max(0, ...texts.map((text) => (/^[^e]*\.(\d+)$/.exec(text)?.[1] ?? '').length))
  if (decimals === 0 || decimals > 6) return texts
  return texts.map((text) => {
    if (!/^[−\d\u202f.]+$/.test(text)) return text
    const [whole, fraction = ''] = text.split('.')
    return `${whole}.${fraction.padEnd(decimals, '0')}`
  })
}
