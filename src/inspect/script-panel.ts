/** The third part of the page's script: the panel that tells of the chosen token, the lists, and the tools above the document. */
export const panelScript = String.raw`
const whole = (value) => value.toLocaleString('en')
const decimal = (value) => value.toFixed(2).replace('-', '−')
function make(name, properties, ...children) {
  const made = document.createElement(name)
  for (const [key, value] of Object.entries(properties || {})) {
    if (key === 'class') made.className = value
    else if (key.startsWith('on')) made.addEventListener(key.slice(2), value)
    else if (value !== undefined) made.setAttribute(key, value)
  }
  made.append(...children.filter((child) => child !== undefined))
  return made
}

/** A token among what stands around it. */
function contextOf(token, before, after) {
  const from = starts[token]
  const to = starts[token + 1]
  return [signs(text.slice(Math.max(0, from - before), from)), make('mark', {}, shownOf(token)), signs(text.slice(to, to + after))]
}

/** The places that all heads of a token's query retrieved, by what reaches the result: the weight times the gate, as a mean over heads. */
function placesAltogether(token) {
  const found = new Map()
  let heads = 0
  layers.forEach((layer, index) => {
    for (let head = 0; head < layer.heads; head++, heads++)
      for (const { place, distance, weight } of placesOf(token, index, head)) {
        const known = found.get(place) || { place, distance, share: 0, heads: 0 }
        known.share += weight * layer.gates[head]
        known.heads++
        found.set(place, known)
      }
  })
  return [...found.values()].map((each) => ({ ...each, share: each.share / heads })).sort((a, b) => b.share - a.share || a.distance - b.distance)
}

function placeButton({ place, distance }, share, largest, note) {
  const bar = make('span', { class: 'bar' }, make('i', {}))
  bar.firstChild.style.width = Math.min(100, (100 * share) / Math.max(largest, 1e-9)) + '%'
  const same = textOf(place) === textOf(chosen) && textOf(place) !== '' ? ' · same token' : ''
  return make('li', {}, make('button', {
    type: 'button', 'data-place': place,
    onclick: () => choose(place, { remember: true }),
    onfocus: () => showPlace(place),
    onmouseenter: () => { for (const span of view.querySelectorAll('[data-token="' + place + '"]')) span.classList.add('here') },
    onmouseleave: () => { for (const span of view.querySelectorAll('.here')) span.classList.remove('here') },
  },
  make('span', { class: 'facts' }, make('span', {}, bar, (100 * share).toFixed(1) + ' %' + (note || '')), make('span', {}, whole(distance) + ' tokens back' + same)),
  make('code', {}, ...contextOf(place, 44, 60))))
}

let onlyHead = -1
let onlyLayer = 0
function headChoice() {
  const { heads } = layers[onlyLayer]
  const row = make('div', { class: 'choose', role: 'group', 'aria-label': 'which heads' })
  if (layers.length > 1) {
    const select = make('select', { 'aria-label': 'memory layer', onchange: (event) => { onlyLayer = Number(event.target.value); onlyHead = -1; showToken(chosen) } })
    layers.forEach(({ layer }, i) => select.append(make('option', i === onlyLayer ? { value: i, selected: '' } : { value: i }, 'layer ' + layer)))
    row.append(select)
  }
  for (let head = -1; head < heads; head++)
    row.append(make('button', { type: 'button', 'aria-pressed': String(head === onlyHead), onclick: () => { onlyHead = head; showToken(chosen) } }, head < 0 ? 'all heads' : 'head ' + (head + 1)))
  return row
}

function retrievalOf(token) {
  const altogether = placesAltogether(token)
  if (altogether.length === 0) return [make('p', { class: 'soft' }, token === 0 ? 'Nothing predicts the first token.' : 'The memory was empty: it holds what stands before the segment of ' + whole(facts.segment) + ' tokens that this token was predicted in.')]
  const parts = [make('h3', {}, 'All heads together', make('small', {}, 'weight × gate, mean over heads')), make('ol', { class: 'places' }, ...altogether.slice(0, 5).map((place) => placeButton(place, place.share, altogether[0].share, ' · ' + place.heads + (place.heads === 1 ? ' head' : ' heads')))), headChoice()]
  const { layer, heads, gates, kept, neighbours } = layers[onlyLayer]
  for (let head = 0; head < heads; head++) {
    if (onlyHead >= 0 && head !== onlyHead) continue
    const places = placesOf(token, onlyLayer, head)
    parts.push(make('h3', {}, 'Layer ' + layer + ', head ' + (head + 1), make('small', {}, 'gate ' + decimal(gates[head]) + ' · ' + places.length + ' of ' + neighbours + ' places kept')))
    parts.push(make('ol', { class: 'places' }, ...places.map((place) => placeButton(place, place.weight, Math.max(...places.map(({ weight }) => weight))))))
  }
  return parts
}

function figure(label, value, tone) {
  return make('li', tone ? { class: tone } : {}, make('b', {}, value), make('span', {}, label))
}

function showToken(token) {
  if (token < 0) return
  const gain = gainOf(token)
  const word = gain >= 0 ? 'bits gained' : 'bits lost'
  const figures = token === 0 ? [] : [
    ...(hasMemory ? [figure('bits without memory', decimal(withoutOf(token))), figure('bits with memory', decimal(lossOf(token))), figure(word, decimal(Math.abs(gain)), gain >= 0 ? 'good' : 'bad')] : [figure('bits', decimal(lossOf(token)))]),
  ]
  const panel = element('panel-token')
  panel.replaceChildren(
    make('h2', {}, 'Token ', make('span', { class: 'token' }, shownOf(token)), ' at ' + whole(token)),
    make('div', { class: 'context' }, ...contextOf(token, 160, 60)),
    make('ul', { class: 'losses' }, ...figures),
    ...(hasMemory ? retrievalOf(token) : [make('p', { class: 'soft' }, facts.noMemory)]),
    ...(history.length > 0 ? [make('p', {}, make('button', { type: 'button', class: 'back', onclick: goBack }, 'back to token ' + whole(history[history.length - 1])))] : []),
  )
  panel.scrollTop = 0
  openTab('token')
  element('said').textContent = 'token ' + token + ' ' + shownOf(token) + (token === 0 ? '' : hasMemory ? ': ' + decimal(Math.abs(gain)) + ' ' + word : ': ' + decimal(lossOf(token)) + ' bits')
}

function fillList(id, listed) {
  const list = element(id)
  if (!list) return
  list.replaceChildren(...listed.map((token) => make('li', {}, make('button', { type: 'button', onclick: () => choose(token, { remember: true }) },
    make('span', { class: 'facts' }, make('span', {}, decimal(withoutOf(token)) + ' → ' + decimal(lossOf(token)) + ' bits'), make('span', {}, 'token ' + whole(token))),
    make('code', {}, ...contextOf(token, 44, 20))))))
}

const tabs = [...document.querySelectorAll('[role=tab]')]
function openTab(name, focus) {
  for (const tab of tabs) {
    const open = tab.id === 'tab-' + name
    tab.setAttribute('aria-selected', String(open))
    tab.tabIndex = open ? 0 : -1
    element(tab.getAttribute('aria-controls')).hidden = !open
    if (open && focus) tab.focus()
  }
}
tabs.forEach((tab, i) => {
  const name = (at) => tabs[(at + tabs.length) % tabs.length].id.slice(4)
  tab.addEventListener('click', () => openTab(name(i)))
  tab.addEventListener('keydown', (event) => {
    const to = { ArrowRight: i + 1, ArrowLeft: i - 1, Home: 0, End: tabs.length - 1 }[event.key]
    if (to === undefined) return
    event.preventDefault()
    openTab(name(to), true)
  })
})
document.querySelector('.panel').addEventListener('keydown', (event) => {
  if (event.key === 'Escape') view.focus()
})

function showLegend() {
  const levels = mode === 'gain' ? gainLevels : lossLevels
  const step = (name, label) => make('span', { class: 'step ' + name }, label)
  const up = levels.map((value, i) => step((mode === 'gain' ? 'g' : 'n') + (i + 1), '≥ ' + value))
  const down = levels.map((value, i) => step('l' + (i + 1), '≥ ' + value)).reverse()
  element('legend').replaceChildren(...(mode === 'gain' ? ['bits lost', make('span', { class: 'steps' }, ...down), make('span', { class: 'steps' }, ...up), 'bits gained'] : ['bits', make('span', { class: 'steps' }, ...up)]))
}
element('mode').addEventListener('change', (event) => { mode = event.target.value; showLegend(); repaint() })
element('find').addEventListener('keydown', (event) => {
  if (event.key !== 'Enter') return
  event.preventDefault()
  const wanted = event.target.value
  const number = /^#\d+$/.test(wanted) ? Number(wanted.slice(1)) : undefined
  const from = chosen < 0 ? 0 : starts[chosen + 1]
  const found = number === undefined ? [text.indexOf(wanted, from), text.indexOf(wanted)].find((place) => place >= 0) : undefined
  const token = number !== undefined && number < tokens ? number : found !== undefined && wanted !== '' ? tokenAtPlace(found) : -1
  element('find-said').textContent = token < 0 ? 'not found' : ''
  if (token >= 0) choose(token)
})

showLegend()
fillList('gained', facts.gained)
fillList('lost', facts.lost)
openTab('token')
refit()
let fitted = view.clientWidth
new ResizeObserver(() => {
  if (view.clientWidth === fitted) return renderSoon()
  fitted = view.clientWidth
  refit()
}).observe(view)
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => { colours = {}; drawOverview() })
const first = /^#\d+$/.test(location.hash) ? Number(location.hash.slice(1)) : facts.gained.length > 0 ? facts.gained[0] : Math.min(1, tokens - 1)
choose(first < tokens ? first : 0)
`.trim()
