/**
 * The first part of the page's script: the document as it stands in the page, and how it is set in rows. Plain script for browsers, no modules;
 * with `String.raw`, for it has backslashes of its own.
 */
export const documentScript = String.raw`
const element = (id) => document.getElementById(id)
const facts = JSON.parse(element('facts').textContent)
const { text, tokens, chunk, layers, hasMemory } = facts

/** The bytes of a data block of the page. */
function blockBytes(id) {
  const base64 = element(id).textContent.trim()
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(base64)
  const binary = atob(base64)
  const bytes = new Uint8Array(binary.length)
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i)
  return bytes
}
const numbers = (id, Type) => { const bytes = blockBytes(id); return new Type(bytes.buffer, bytes.byteOffset, bytes.byteLength / Type.BYTES_PER_ELEMENT) }

/** Where the text of each token begins. */
const starts = new Uint32Array(tokens + 1)
numbers('lengths', Uint16Array).forEach((length, i) => { starts[i + 1] = starts[i] + length })
const bits = (steps) => steps / 2048 / Math.LN2
const lossSteps = numbers('loss', Uint16Array)
const withoutSteps = hasMemory ? numbers('without', Uint16Array) : undefined
const lossOf = (token) => bits(lossSteps[token])
const withoutOf = (token) => bits(withoutSteps[token])
const gainOf = (token) => (hasMemory && token > 0 ? bits(withoutSteps[token] - lossSteps[token]) : 0)

/** What was retrieved is decoded piece by piece, when it is looked at. */
const decoded = new Map()
function placesOf(token, layerIndex, head) {
  const { heads, kept } = layers[layerIndex]
  const name = 'places-' + layerIndex + '-' + Math.floor(token / chunk)
  if (!decoded.has(name)) decoded.set(name, numbers(name, Uint32Array))
  const from = ((token % chunk) * heads + head) * kept
  return Array.from(decoded.get(name).subarray(from, from + kept)).filter((packed) => packed > 0)
    .map((packed) => ({ distance: packed >>> 8, place: token - 1 - (packed >>> 8), weight: (packed & 255) / 255 }))
}

/** What is shown of a token: what cannot be seen gets a sign. */
const signs = (part) => part.replace(/\n/g, '↵').replace(/[\u0000-\u0008\u000b-\u001f]/g, (char) => String.fromCharCode(0x2400 + char.charCodeAt(0))).replace(/\u007f/g, '␡')
const textOf = (token) => text.slice(starts[token], starts[token + 1])
const shownOf = (token) => (starts[token] < starts[token + 1] ? signs(textOf(token)) : token === tokens - 1 && facts.end ? '⟨end⟩' : '·')

function widthOf(code, column) {
  if (code === 9) return 4 - (column % 4)
  if (code >= 0xdc00 && code <= 0xdfff) return 0
  return (code >= 0x1100 && code <= 0x115f) || (code >= 0x2e80 && code <= 0xa4cf) || (code >= 0xac00 && code <= 0xdfff) || (code >= 0xf900 && code <= 0xff60) ? 2 : 1
}

/** Sets the document in rows of so many columns: of each row the token that it begins with, and the place in the text. Rows break between tokens where they can. */
function setRows(columns) {
  const rowToken = [0]
  const rowPlace = [0]
  let column = 0
  const begin = (token, place) => {
    if (rowToken[rowToken.length - 1] === token && rowPlace[rowPlace.length - 1] === place) return
    rowToken.push(token)
    rowPlace.push(place)
    column = 0
  }
  for (let token = 0; token < tokens; token++) {
    const end = starts[token + 1]
    let width = starts[token] === end ? shownOf(token).length : 0
    for (let place = starts[token]; place < end && text.charCodeAt(place) !== 10; place++) width += widthOf(text.charCodeAt(place), column + width)
    if (column > 0 && column + width > columns) begin(token, starts[token])
    if (starts[token] === end) column += width
    for (let place = starts[token]; place < end; place++) {
      const code = text.charCodeAt(place)
      if (code === 10) {
        begin(place + 1 < end ? token : token + 1, place + 1)
        continue
      }
      const wide = widthOf(code, column)
      if (column > 0 && column + wide > columns) begin(token, place)
      column += wide
    }
  }
  if (rowToken.length > 1 && rowToken[rowToken.length - 1] >= tokens) { rowToken.pop(); rowPlace.pop() }
  return { rowToken: Uint32Array.from(rowToken), rowPlace: Uint32Array.from(rowPlace) }
}

/** The parts of tokens that a row shows: [token, shown]. */
function partsOf({ rowToken, rowPlace }, row) {
  const last = row + 1 < rowToken.length
  const endPlace = last ? rowPlace[row + 1] : text.length
  const endToken = last ? rowToken[row + 1] + (rowPlace[row + 1] > starts[rowToken[row + 1]] ? 1 : 0) : tokens
  const parts = []
  for (let token = rowToken[row]; token < endToken; token++) {
    const from = Math.max(starts[token], token === rowToken[row] ? rowPlace[row] : 0)
    const to = Math.min(starts[token + 1], endPlace)
    parts.push([token, from < to ? signs(text.slice(from, to)) : shownOf(token)])
  }
  return parts
}

/** The row in which a token begins. */
function rowOf({ rowToken, rowPlace }, token) {
  let low = 0
  let high = rowToken.length
  while (high - low > 1) {
    const middle = (low + high) >> 1
    if (rowToken[middle] < token || (rowToken[middle] === token && rowPlace[middle] <= starts[token])) low = middle
    else high = middle
  }
  return low
}

/** The token that a place of the text is part of. */
function tokenAtPlace(place) {
  let low = 0
  let high = tokens
  while (high - low > 1) {
    const middle = (low + high) >> 1
    if (starts[middle] <= place) low = middle
    else high = middle
  }
  return low
}
`.trim()
