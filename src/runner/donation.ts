/**
 * Positions of the arguments of `@main` that the text gives away (`tf.aliasing_output`, `jax.buffer_donor`): XLA may put results
 * into their memory, so that the buffers passed for them are gone after the call.
 */
export function donatedArguments(text: string): number[] {
  const main = /func\.func\s+(?:public\s+)?@main\s*\(/.exec(text)
  if (main === null) return []
  const donated: number[] = []
  let depth = 0
  let index = 0
  let start = main.index + main[0].length
  const endArgument = (at: number): void => {
    if (/\btf\.aliasing_output\b|\bjax\.buffer_donor\s*=\s*true\b/.test(text.slice(start, at))) donated.push(index)
    index++
    start = at + 1
  }
  for (let at = start; at < text.length; at++) {
    const character = text[at]
    if (character === '"') {
      at = endOfString(text, at)
    } else if (character === ',' && depth === 0) {
      endArgument(at)
    } else if ('([{<'.includes(character)) {
      depth++
    } else if (')]}>'.includes(character) && !(character === '>' && text[at - 1] === '-')) {
      if (depth === 0) {
        endArgument(at)
        break
      }
      depth--
    }
  }
  return donated
}

function endOfString(text: string, open: number): number {
  let at = open + 1
  while (at < text.length && text[at] !== '"') at += text[at] === '\\' ? 2 : 1
  return at
}
