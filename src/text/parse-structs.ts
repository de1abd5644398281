import { algorithmFault, dotAlgorithm } from '../ops/dot-attributes.ts'
import { token } from './lex.ts'
import { LocationParser } from './parse-locations.ts'

interface StructForm {
  /** As messages call it. */
  readonly what: string
  readonly lists: readonly string[]
  readonly integers: readonly string[]
}

const gatherForm: StructForm = {
  what: 'gather dimension numbers',
  lists: ['offset_dims', 'collapsed_slice_dims', 'operand_batching_dims', 'start_indices_batching_dims', 'start_index_map'],
  integers: ['index_vector_dim'],
}
const scatterForm: StructForm = {
  what: 'scatter dimension numbers',
  lists: ['update_window_dims', 'inserted_window_dims', 'input_batching_dims', 'scatter_indices_batching_dims', 'scatter_dims_to_operand_dims'],
  integers: ['index_vector_dim'],
}
const dotForm: StructForm = {
  what: 'dot dimension numbers',
  lists: ['lhs_batching_dimensions', 'rhs_batching_dimensions', 'lhs_contracting_dimensions', 'rhs_contracting_dimensions'],
  integers: [],
}
const forms = new Map([
  ['stablehlo.gather', gatherForm],
  ['stablehlo.scatter', scatterForm],
  ['stablehlo.dot', dotForm],
])

const accuracyModes = ['DEFAULT', 'HIGHEST', 'TOLERANCE']

/**
 * The struct attributes of StableHLO that have a grammar of their own. They are kept as text and read by codecs, which can only
 * say that a text is wrong; here it is said where and why.
 */
export abstract class StructParser extends LocationParser {
  protected override checkDialectAttribute(name: string, opening: number): void {
    this.#checkRules(name, opening)
    const form = forms.get(name)
    if (!form && name !== 'stablehlo.conv') return
    const after = this.start
    this.restart(opening)
    if (form) this.#struct(form)
    else this.#convolution()
    if (this.start !== after) this.error(`expected '>'`)
  }

  /** Rules of attributes that hold without their op: what breaks them is where the attribute is. */
  #checkRules(name: string, opening: number): void {
    if (name !== 'stablehlo.dot_algorithm' && name !== 'stablehlo.result_accuracy') return
    const text = `#${name}${this.text.slice(opening, this.previousEnd)}`
    if (name === 'stablehlo.dot_algorithm') {
      const algorithm = dotAlgorithm.parse({ kind: 'dialect', text })
      const fault = algorithm && algorithmFault(algorithm)
      if (fault) this.errorAt(opening, `${fault.detail} [${fault.rule}]`)
    } else {
      const word = /mode<\s*(\w+)\s*>/.exec(text)?.[1]
      if (word !== undefined && !accuracyModes.includes(word)) this.errorAt(opening, `expected the mode of result_accuracy to be one of: ${accuracyModes.join(', ')}, got ${word}`)
      const mode = word === 'TOLERANCE' ? undefined : word
      const tolerances = [...text.matchAll(/\b(?:atol|rtol|ulps)\s*=\s*([^,>\s]+)/g)].map((match) => Number(match[1]))
      if (tolerances.some((value) => value < 0)) this.errorAt(opening, 'Negative tolerance')
      if (mode && tolerances.some((value) => value !== 0)) this.errorAt(opening, `Invalid tolerances for ResultAccuracyAttr with mode ${mode}, must be all zero.`)
    }
  }

  #struct(form: StructForm): void {
    const fields = [...form.lists, ...form.integers]
    const seen = new Set<string>()
    const failed = () => [{ offset: this.start, message: `failed parsing ${form.what}` }]
    this.expect('<')
    while (!this.peek('>')) {
      const name = this.tokenText()
      if (this.kind !== token.word || !fields.includes(name))
        this.errorAt(this.start, `expected one of: ${fields.map((field) => `\`${field}\``).join(', ')}`, failed())
      if (seen.has(name)) this.errorAt(this.start, `duplicated \`${name}\` entry`, failed())
      seen.add(name)
      this.advance()
      this.expect('=')
      if (form.lists.includes(name)) this.list('[', ']', () => this.smallInteger('an axis'))
      else this.smallInteger('an axis')
      if (!this.accept(',') && !this.peek('>')) this.error(`expected '>'`, failed())
    }
    this.expect('>')
  }

  /** `<[b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f]>` */
  #convolution(): void {
    this.expect('<')
    if (this.accept('raw')) return this.restart(this.#rawEnd())
    this.#dimensions(['b', 'f'])
    this.expect('x')
    this.#dimensions(['i', 'o'])
    this.expect('->')
    this.#dimensions(['b', 'f'])
    this.expect('>')
  }

  #rawEnd(): number {
    // The codec reads the fields by name.
    const end = this.text.indexOf('>', this.start)
    return end < 0 ? this.text.length : end + 1
  }

  /** `[b, 0, 1, f]` with the letters that must be there, and `?` for dimensions that mean nothing. */
  #dimensions(letters: readonly string[]): void {
    const missing = new Set(letters)
    const spatial = new Set<number>()
    this.list('[', ']', () => {
      if (this.accept('?')) return
      const at = this.start
      if (this.kind === token.word) {
        const letter = this.tokenText()
        if (!missing.delete(letter)) this.error(`Unexpected dimension ${letter}, expecting ${[...missing].join(', ')}`)
        this.advance()
        return
      }
      const axis = this.smallInteger('a spatial dimension')
      if (axis < 0) this.errorAt(at, `Unexpected dimension ${axis}`)
      if (spatial.has(axis)) this.errorAt(at, `Duplicate entries for spatial dimension ${axis}`)
      spatial.add(axis)
    })
    if (missing.size) this.error(`Expected dimensions ${[...missing].join(', ')} not specified`)
    for (let axis = 0; axis < spatial.size; axis++) if (!spatial.has(axis)) this.error(`Expected spatial dimensions ${axis} not specified`)
  }
}
