/** The second part of the page's script: the rows that are in view, the overview beside them, and which token is chosen. */
export const viewScript = String.raw`
const rowHeight = 20
/** Rows kept above and below what is in view. */
const margin = 12
const view = element('document')
const space = element('space')
const overview = element('overview')
let set = setRows(100)
let mode = hasMemory ? 'gain' : 'loss'
let chosen = -1
/** Places that the chosen token's query retrieved, as they are marked in the document. */
let marked = new Set()
const shownRows = new Map()
const history = []

const gainLevels = [0.1, 0.3, 1, 3]
const lossLevels = [0.5, 2, 4, 8]
const levelOf = (value, levels) => { let level = 0; while (level < levels.length && value >= levels[level]) level++; return level }
function colourOf(token) {
  if (token === 0) return ''
  if (mode === 'gain') {
    const gain = gainOf(token)
    const level = levelOf(Math.abs(gain), gainLevels)
    return level === 0 ? '' : (gain > 0 ? 'g' : 'l') + level
  }
  const level = levelOf(mode === 'loss' ? lossOf(token) : withoutOf(token), lossLevels)
  return level === 0 ? '' : 'n' + level
}

function classOf(token, shown) {
  const names = ['t']
  const colour = colourOf(token)
  if (colour) names.push(colour)
  if (shown === '↵' || shown === '·') names.push('faint')
  if (marked.has(token)) names.push('place')
  if (token === chosen) names.push('chosen')
  return names.join(' ')
}

function makeRow(row) {
  const line = document.createElement('div')
  line.className = 'row'
  line.style.top = row * rowHeight + 'px'
  line.dataset.place = String(set.rowToken[row])
  for (const [token, shown] of partsOf(set, row)) {
    const span = document.createElement('span')
    span.className = classOf(token, shown)
    span.dataset.token = String(token)
    span.textContent = shown
    line.append(span)
  }
  return line
}

/** Puts the rows in view, and no others, into the page. */
function render() {
  const first = Math.max(0, Math.floor(view.scrollTop / rowHeight) - margin)
  const last = Math.min(set.rowToken.length, Math.ceil((view.scrollTop + view.clientHeight) / rowHeight) + margin)
  for (const [row, line] of shownRows) if (row < first || row >= last) { line.remove(); shownRows.delete(row) }
  for (let row = first; row < last; row++) {
    if (shownRows.has(row)) continue
    const line = makeRow(row)
    shownRows.set(row, line)
    space.append(line)
  }
  drawOverview()
}

let underWay = false
function renderSoon() {
  if (underWay) return
  underWay = true
  requestAnimationFrame(() => { underWay = false; render() })
}

/** Colours and marks again of what is in view. */
function repaint() {
  for (const line of shownRows.values()) for (const span of line.children) span.className = classOf(Number(span.dataset.token), span.textContent)
  drawOverview()
}

function refit() {
  const probe = document.createElement('span')
  probe.className = 'row'
  probe.textContent = '0'.repeat(100)
  space.append(probe)
  const column = (probe.getBoundingClientRect().width - parseFloat(getComputedStyle(probe).paddingLeft)) / 100
  probe.remove()
  const columns = Math.max(20, Math.floor(view.clientWidth / column) - 11)
  const top = set.rowToken[Math.min(set.rowToken.length - 1, Math.floor(view.scrollTop / rowHeight))]
  set = setRows(columns)
  space.style.height = (set.rowToken.length + 1) * rowHeight + 'px'
  sums = undefined
  for (const line of shownRows.values()) line.remove()
  shownRows.clear()
  view.scrollTop = rowOf(set, top) * rowHeight
  render()
}

/** Sums of gains up to each row; the overview shows their means. */
let sums
function rowSums() {
  if (sums) return sums
  sums = new Float64Array(set.rowToken.length + 1)
  for (let row = 0; row < set.rowToken.length; row++) {
    const end = row + 1 < set.rowToken.length ? set.rowToken[row + 1] : tokens
    let sum = 0
    for (let token = set.rowToken[row]; token < end; token++) sum += hasMemory ? gainOf(token) : lossOf(token)
    sums[row + 1] = sums[row] + sum
  }
  return sums
}

/** Colours of the style; read once, for to ask for them while rows come and go costs more than to draw. */
let colours = {}
const colour = (name) => (colours[name] ||= getComputedStyle(document.documentElement).getPropertyValue('--' + name))

function drawOverview() {
  const scale = window.devicePixelRatio || 1
  const width = overview.clientWidth
  const height = overview.clientHeight
  if (overview.width !== Math.round(width * scale) || overview.height !== Math.round(height * scale)) {
    overview.width = Math.round(width * scale)
    overview.height = Math.round(height * scale)
  }
  const draw = overview.getContext('2d')
  draw.setTransform(scale, 0, 0, scale, 0, 0)
  draw.clearRect(0, 0, width, height)
  const rows = set.rowToken.length
  const all = rowSums()
  const used = Math.min(height, rows * 3)
  for (let y = 0; y < used; y++) {
    const from = Math.floor((y * rows) / used)
    const to = Math.max(from + 1, Math.floor(((y + 1) * rows) / used))
    const count = (to < rows ? set.rowToken[to] : tokens) - set.rowToken[from]
    const mean = (all[to] - all[from]) / Math.max(1, count)
    const level = levelOf(Math.abs(mean), hasMemory ? [0.03, 0.1, 0.3, 0.8] : lossLevels)
    if (level === 0) continue
    draw.fillStyle = colour((hasMemory ? (mean > 0 ? 'g' : 'l') : 'n') + level)
    draw.fillRect(0, y, width, 1)
  }
  const at = (token) => (rowOf(set, token) / rows) * used
  draw.fillStyle = colour('accent')
  for (const token of marked) draw.fillRect(0, at(token) - 1, width, 2)
  if (chosen >= 0) { draw.fillStyle = colour('ink'); draw.fillRect(0, at(chosen) - 1, width, 3) }
  draw.strokeStyle = colour('soft')
  draw.strokeRect(0.5, (view.scrollTop / rowHeight / rows) * used + 0.5, width - 1, Math.max(6, (view.clientHeight / rowHeight / rows) * used) - 1)
}

function scrollToToken(token, middle) {
  const top = rowOf(set, token) * rowHeight
  if (top < view.scrollTop || top + 2 * rowHeight > view.scrollTop + view.clientHeight) view.scrollTop = Math.max(0, top - view.clientHeight * (middle ? 0.4 : 0.2))
  render()
}

/** Makes a token the chosen one. */
function choose(token, { remember = false, middle = true } = {}) {
  if (token < 0 || token >= tokens) return
  if (remember && chosen >= 0 && chosen !== token) history.push(chosen)
  chosen = token
  marked = new Set(placesAltogether(token).map(({ place }) => place))
  scrollToToken(token, middle)
  repaint()
  showToken(token)
  try { window.history.replaceState(null, '', '#' + token) } catch { /* Some browsers do not let a file on the disk do this. */ }
}

/** Shows a place in the document for a moment, without choosing it. */
function showPlace(token) {
  scrollToToken(token, true)
  for (const span of view.querySelectorAll('[data-token="' + token + '"]')) {
    span.classList.remove('here')
    void span.offsetWidth
    span.classList.add('here')
  }
}

/** The next token, in a direction, that gained or lost a bit or more. */
function nextChanged(direction) {
  for (let token = chosen + direction; token > 0 && token < tokens; token += direction) if (Math.abs(hasMemory ? gainOf(token) : lossOf(token)) >= 1) return token
  return chosen
}

function tokenInRow(row, column) {
  if (row < 0 || row >= set.rowToken.length) return chosen
  const parts = partsOf(set, row)
  return parts.length === 0 ? chosen : parts[Math.min(column, parts.length - 1)][0]
}

const keys = {
  ArrowRight: () => choose(chosen + 1, { middle: false }),
  ArrowLeft: () => choose(chosen - 1, { middle: false }),
  ArrowDown: () => moveRow(1),
  ArrowUp: () => moveRow(-1),
  n: () => choose(nextChanged(1)),
  p: () => choose(nextChanged(-1)),
  b: () => goBack(),
  Enter: () => { const button = element('panel-token').querySelector('.places button'); if (button) button.focus() },
}
function moveRow(direction) {
  const row = rowOf(set, Math.max(0, chosen))
  choose(tokenInRow(row + direction, chosen - set.rowToken[row]), { middle: false })
}
function goBack() {
  if (history.length > 0) choose(history.pop())
}

view.addEventListener('scroll', renderSoon, { passive: true })
view.addEventListener('click', (event) => {
  const span = event.target.closest('[data-token]')
  if (span) choose(Number(span.dataset.token), { remember: true, middle: false })
})
view.addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || !Object.hasOwn(keys, event.key)) return
  event.preventDefault()
  if (chosen < 0) choose(tokenInRow(Math.ceil(view.scrollTop / rowHeight), 0))
  else keys[event.key]()
})
overview.addEventListener('pointerdown', (event) => { overview.setPointerCapture(event.pointerId); scrollOverview(event) })
overview.addEventListener('pointermove', (event) => { if (event.buttons & 1) scrollOverview(event) })
function scrollOverview(event) {
  const used = Math.min(overview.clientHeight, set.rowToken.length * 3)
  view.scrollTop = (event.offsetY / used) * set.rowToken.length * rowHeight - view.clientHeight / 2
}
`.trim()
