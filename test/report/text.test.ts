import { describe, expect, it } from 'vitest'
import { chartData, curveFacts, movingMean } from '../../src/report/chart.ts'
import { escapeHtml, formatColumn, formatNumber, paragraphs, scriptSafeJson } from '../../src/report/text.ts'

describe('formatNumber', () => {
  it.each([
    [0, '0'], [2.3149, '2.315'], [12345678, '12\u202f345\u202f678'], [1234, '1234'], [1234.5678, '1235'], [0.00012345, '1.234e−4'], [1e-4, '1e−4'],
    [-2.5, '−2.5'], [-123456, '−123\u202f456'], [1e12, '1e12'], [99999.4, '99\u202f999'], [0.001, '0.001'], [999.96, '1000'],
    [Number.NaN, 'NaN'], [Number.POSITIVE_INFINITY, '∞'], [Number.NEGATIVE_INFINITY, '−∞'],
  ])('shows %d as %s', (value, text) => {
    expect(formatNumber(value)).toBe(text)
  })
})

describe('formatColumn', () => {
  it('gives all numbers of a column as many decimals', () => {
    expect(formatColumn([2.1, 2.412, 3, -0.5])).toEqual(['2.100', '2.412', '3.000', '−0.500'])
    expect(formatColumn([1, 20])).toEqual(['1', '20'])
    expect(formatColumn([1.5, Number.NaN, 1e-7])).toEqual(['1.5', 'NaN', '1e−7'])
    expect(formatColumn([])).toEqual([])
  })
})

describe('text in a page', () => {
  it('is escaped', () => {
    expect(escapeHtml('<a href="x">&\'')).toBe('&#60;a href=&#34;x&#34;&#62;&#38;&#39;')
    expect(paragraphs('`<b>` \n\n\n x')).toBe('<p><code>&#60;b&#62;</code></p>\n<p>x</p>')
  })

  it('may be JSON in a script element, and is the same value again', () => {
    const value = { text: '</script><!-- & \u2028\u2029 ]]>' }
    const json = scriptSafeJson(value)
    expect(json).not.toMatch(/[<>&\u2028\u2029]/)
    expect(JSON.parse(json)).toEqual(value)
  })
})

describe('movingMean', () => {
  it('begins at the first value, follows, and passes over gaps', () => {
    expect(movingMean([4, 4, 4], 0.9)).toEqual([4, 4, 4])
    expect(movingMean([null, 2, null, 4], 0.5)).toEqual([null, 2, null, Number(((0.5 * 1 + 2) / 0.75).toPrecision(7))])
  })
})

describe('curveFacts', () => {
  it('names first, last, lowest and highest of the values that can be drawn', () => {
    const { curves } = chartData({
      title: 't', xLabel: 'x', yLabel: 'y',
      series: [{ name: 'a', seed: 3, x: [1, 2, 3, 4], y: [Number.NaN, 5, 1, 2] }, { name: 'b', x: [], y: [] }],
    })
    expect(curveFacts(curves[0])).toEqual({
      label: 'a, seed 3', points: 4, gaps: 1, first: { x: 2, y: 5 }, last: { x: 4, y: 2 }, lowest: { x: 3, y: 1 }, highest: { x: 2, y: 5 },
    })
    expect(curveFacts(curves[1])).toEqual({ label: 'b', points: 0, gaps: 0 })
  })
})
