import { paletteSize } from './style.ts'

/**
 * What runs in the reader's browser: draws each chart with uPlot from the data in the page, in the colours of the style, again
 * when the window changes its width or the system its theme. Plain script of the browsers of the last years, no modules.
 */
export const pageScript = `
(function () {
  'use strict'
  var charts = JSON.parse(document.getElementById('report-data').textContent)
  var dashes = [[], [7, 4], [2, 3], [10, 3, 2, 3]]
  var color = function (name) { return getComputedStyle(document.documentElement).getPropertyValue('--' + name).trim() }
  var heightFor = function (width) { return Math.max(260, Math.min(400, Math.round(width * 0.46))) }

  function short(value) {
    if (value == null) return ''
    var size = Math.abs(value)
    if (size !== 0 && (size < 1e-3 || size >= 1e7)) return value.toExponential(1).replace('e+', 'e')
    if (size >= 1e4) return (value / 1000) + 'k'
    return String(Number(value.toPrecision(4)))
  }
  function exact(value) { return value == null ? '–' : String(Number(value.toPrecision(5))) }
  // What the legend says of a series: the value under the pointer, and the last one while there is no pointer.
  function legendValue(u, value, index, at) {
    if (at != null) return exact(value)
    var values = u.data[index]
    for (var i = values.length - 1; i >= 0; i--) if (values[i] != null) return exact(values[i])
    return '–'
  }

  function draw(place, chart) {
    var tables = []
    var series = [{ label: chart.xLabel, value: legendValue }]
    var partner = {}
    chart.curves.forEach(function (curve) {
      var stroke = function () { return color('series-' + curve.color % ${paletteSize}) }
      var line = function (y, extra) {
        tables.push([curve.x, y])
        series.push(Object.assign({
          label: curve.label,
          stroke: stroke,
          width: 2,
          dash: dashes[curve.dash % dashes.length],
          points: { show: curve.x.length < 40, size: 5 },
          value: legendValue,
        }, extra))
      }
      if (curve.smooth) {
        line(curve.y, { class: 'faint', width: 1, alpha: 0.28, dash: [], points: { show: false } })
        line(curve.smooth, {})
        partner[series.length - 1] = series.length - 2
      } else {
        line(curve.y, {})
      }
    })
    // join() keeps a null of a series as a gap and fills what another series' x values leave open without one.
    var data = uPlot.join(tables)
    // A scale of a single value has no width: give it one.
    var widen = function (low, high) { return low === high ? [low - (Math.abs(low) || 1) * 0.1, high + (Math.abs(high) || 1) * 0.1] : null }
    var axis = function (label, size) {
      return {
        label: label, labelSize: 26, labelFont: '500 13px system-ui, sans-serif', font: '12px system-ui, sans-serif', size: size,
        stroke: function () { return color('soft') },
        grid: { stroke: function () { return color('line') }, width: 1 },
        ticks: { stroke: function () { return color('line') }, width: 1, size: 5 },
        values: function (u, values) { return values.map(short) },
      }
    }
    var plot = new uPlot({
      width: place.clientWidth,
      height: heightFor(place.clientWidth),
      series: series,
      scales: {
        x: { time: false, range: function (u, low, high) { return widen(low, high) || [low, high] } },
        y: chart.log ? { distr: 3 } : { range: function (u, low, high) { return widen(low, high) || uPlot.rangeNum(low, high, 0.08, true) } },
      },
      axes: [axis(chart.xLabel, 34), axis(chart.yLabel, 54)],
      legend: {
        markers: {
          width: 3,
          stroke: function (u, index) { return index === 0 ? 'transparent' : u.series[index].stroke(u, index) },
          dash: function (u, index) { return index > 0 && (u.series[index].dash || []).length > 0 ? 'dashed' : 'solid' },
        },
      },
      cursor: { points: { size: 7 }, drag: { x: true, y: false } },
      hooks: {
        setSeries: [function (u, index) {
          if (partner[index] !== undefined && u.series[partner[index]].show !== u.series[index].show) {
            u.setSeries(partner[index], { show: u.series[index].show })
          }
        }],
      },
    }, data, place)

    // uPlot's legend switches curves by click; make it work from the keyboard too.
    place.querySelectorAll('.u-legend .u-series').forEach(function (row, index) {
      var label = row.querySelector('th')
      if (index === 0 || !label) return
      label.tabIndex = 0
      label.setAttribute('role', 'switch')
      label.setAttribute('aria-checked', 'true')
      label.addEventListener('click', function () { label.setAttribute('aria-checked', String(plot.series[index].show)) })
      label.addEventListener('keydown', function (event) {
        if (event.key !== 'Enter' && event.key !== ' ') return
        event.preventDefault()
        label.click()
      })
    })
    return plot
  }

  document.querySelectorAll('.plot').forEach(function (place) {
    var chart = charts[Number(place.dataset.chart)]
    var plot = draw(place, chart)
    new ResizeObserver(function () {
      var width = place.clientWidth
      if (width > 0 && width !== plot.width) plot.setSize({ width: width, height: heightFor(width) })
    }).observe(place)
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', function () {
      plot.destroy()
      plot = draw(place, chart)
    })
  })
})()
`.trim()
