/**
 * The xla room reads what XLA's compilers give back as text, the optimised program (`hlo`) and a TPU kernel's instruction bundles
 * (`bundles`), and works out what a user wants to know of it: how long it takes at least (`estimate`) and whether a search was fused
 * (`search`). It knows nothing of how the text came to be.
 */

/** An instruction of an optimised program. */
export interface HloOp {
  readonly name: string
  readonly opcode: string
  /** As printed, with layout and memory space: `f32[8,128]{1,0:T(8,128)S(1)}`. */
  readonly type: string
  /** Names of ops of the same computation. */
  readonly operands: readonly string[]
  /** What stands between the parentheses of a constant or a parameter. */
  readonly literal: string
  /** Everything after the operands, without the metadata. */
  readonly attributes: string
  /** The scope it comes from, as the program's locations say it: `layer1/attention`. */
  readonly scope: string | undefined
  /** `file.ts:12:3` */
  readonly source: string | undefined
  readonly isRoot: boolean
}

export interface HloComputation {
  readonly name: string
  /** In the order in which they are carried out. */
  readonly ops: readonly HloOp[]
  readonly byName: ReadonlyMap<string, HloOp>
  readonly root: HloOp
}

export interface HloModule {
  readonly computations: ReadonlyMap<string, HloComputation>
  readonly entry: HloComputation
}

const headPattern = /^(ENTRY )?%?([\w.<>-]+) (?:\(.*\) -> .*)?\{$/
const opPattern = /^\s+(ROOT )?%?([\w.<>-]+) = /
const opcodePattern = / ?([a-z][a-z0-9-]*)\(/y

/**
 * Reads XLA's own print of a module; the source places of a TPU's program are in tables before it. `textFile` is what places in the program's
 * StableHLO text are called, for which XLA has no name. Throws `TypeError` if there is no entry.
 */
export function parseHlo(text: string, textFile = '-'): HloModule {
  const computations = new Map<string, HloComputation>()
  const places = new PlaceTables(textFile)
  let entry: HloComputation | undefined
  let head: RegExpExecArray | undefined
  let ops: HloOp[] = []
  for (const line of text.split('\n')) {
    if (head === undefined) {
      const match = headPattern.exec(line)
      if (match && !line.startsWith('HloModule')) {
        head = match
        ops = []
      } else {
        places.line(line)
      }
    } else if (line.startsWith('}')) {
      const computation = { name: head[2], ops, byName: new Map(ops.map((op) => [op.name, op])), root: ops.find(({ isRoot }) => isRoot) ?? ops[ops.length - 1] }
      computations.set(head[2], computation)
      if (head[1]) entry = computation
      head = undefined
    } else {
      const op = parseOp(line, places)
      if (op) ops.push(op)
    }
  }
  if (entry === undefined) throw new TypeError('the optimised program has no ENTRY computation')
  return { computations, entry }
}

function parseOp(line: string, places: PlaceTables): HloOp | undefined {
  const start = opPattern.exec(line)
  if (start === null) return undefined
  const typeStart = start[0].length
  const typeEnd = line[typeStart] === '(' ? closing(line, typeStart) + 1 : line.indexOf(' ', typeStart)
  opcodePattern.lastIndex = typeEnd
  const opcode = opcodePattern.exec(line)
  if (opcode === null) return undefined
  const open = opcodePattern.lastIndex - 1
  const close = closing(line, open)
  const inside = line.slice(open + 1, close)
  const rest = line.slice(close + 1)
  const metadata = /, metadata=\{((?:"(?:[^"\\]|\\.)*"|[^}])*)\}/.exec(rest)
  return {
    name: start[2],
    opcode: opcode[1],
    type: line.slice(typeStart, typeEnd),
    operands: Array.from(inside.matchAll(/%([\w.<>-]+)/g), (match) => match[1]),
    literal: inside,
    attributes: metadata ? rest.slice(0, metadata.index) + rest.slice(metadata.index + metadata[0].length) : rest,
    scope: metadata ? /op_name="((?:[^"\\]|\\.)*)"/.exec(metadata[1])?.[1] : undefined,
    source: metadata ? places.source(metadata[1]) : undefined,
    isRoot: start[1] !== undefined,
  }
}

/** The position of the parenthesis that closes the one at `open`. */
function closing(line: string, open: number): number {
  let depth = 0
  for (let at = open; at < line.length; at++) {
    const character = line[at]
    if (character === '(') depth++
    else if (character === ')' && --depth === 0) return at
    else if (character === '"') while (++at < line.length && line[at] !== '"') if (line[at] === '\\') at++
  }
  return line.length
}

/** The tables of files, locations and stack frames at the top of a program, to which an op's metadata points. */
class PlaceTables {
  readonly #textFile: string
  #table = ''
  readonly #files = new Map<number, string>()
  readonly #locations = new Map<number, string>()
  readonly #frames = new Map<number, number>()

  constructor(textFile: string) {
    this.#textFile = textFile
  }

  line(line: string): void {
    const entry = /^(\d+) (?:"(.*)"|\{(.*)\})$/.exec(line)
    if (entry === null) {
      if (/^\w+$/.test(line)) this.#table = line
      return
    }
    const id = Number(entry[1])
    if (this.#table === 'FileNames') this.#files.set(id, entry[2])
    else if (this.#table === 'FileLocations') this.#locations.set(id, `${this.#file(this.#files.get(number(entry[3], 'file_name_id')) ?? '')}:${number(entry[3], 'line')}:${number(entry[3], 'column')}`)
    else if (this.#table === 'StackFrames') this.#frames.set(id, number(entry[3], 'file_location_id'))
  }

  source(metadata: string): string | undefined {
    const file = /source_file="((?:[^"\\]|\\.)*)"/.exec(metadata)
    if (file) return `${this.#file(file[1])}:${number(metadata, 'source_line')}${/source_column=/.test(metadata) ? `:${number(metadata, 'source_column')}` : ''}`
    return this.#locations.get(this.#frames.get(number(metadata, 'stack_frame_id')) ?? -1)
  }

  #file(name: string): string {
    return name === '-' ? this.#textFile : name
  }
}

const number = (text: string, key: string): number => Number(new RegExp(`\\b${key}=(\\d+)`).exec(text)?.[1] ?? Number.NaN)

/** Names of computations that an op calls, by the attribute that says so: `calls`, `body`, `condition`, `to_apply`. */
export const calledComputation = (op: HloOp, attribute: string): string | undefined =>
  new RegExp(`\\b${attribute}=%?([\\w.<>-]+)`).exec(op.attributes)?.[1]

/** The target of a custom call. */
export const customCallTarget = (op: HloOp): string | undefined => (op.opcode === 'custom-call' ? /custom_call_target="([^"]*)"/.exec(op.attributes)?.[1] : undefined)

/** An array in a printed type. */
export interface HloArray {
  readonly dtype: string
  readonly shape: readonly number[]
  readonly bytes: number
  /** In the chip's own memory (VMEM, printed `S(1)`) and not in HBM. */
  readonly onChip: boolean
}

const bits: Readonly<Record<string, number>> = {
  pred: 8, s2: 2, u2: 2, s4: 4, u4: 4, s8: 8, u8: 8, s16: 16, u16: 16, s32: 32, u32: 32, s64: 64, u64: 64,
  f16: 16, bf16: 16, f32: 32, f64: 64, c64: 64, c128: 128, f4e2m1fn: 4, f8e8m0fnu: 8, f8e3m4: 8, f8e4m3: 8, f8e4m3fn: 8, f8e4m3b11fnuz: 8, f8e4m3fnuz: 8, f8e5m2: 8, f8e5m2fnuz: 8,
}

/** All arrays of a printed type, in order; tokens and the like have no bytes. */
export function arraysOf(type: string): HloArray[] {
  return Array.from(type.matchAll(/(\w+)\[([\d,<=]*)\](\{[^}]*\})?/g), ([, dtype, sizes, layout]) => {
    const shape = sizes === '' ? [] : sizes.split(',').map((size) => Number(size.replace('<=', '')))
    const elements = shape.reduce((product, size) => product * size, 1)
    return { dtype, shape, bytes: (elements * (bits[dtype] ?? 0)) / 8, onChip: layout?.includes('S(1)') ?? false }
  })
}

/** The members of a tuple's printed type; of another type, itself. */
export function tupleMembers(type: string): string[] {
  if (!type.startsWith('(')) return [type]
  const members: string[] = []
  let depth = 0
  let start = 1
  for (let at = 0; at < type.length; at++) {
    const character = type[at]
    if ('({['.includes(character)) depth++
    else if (')}]'.includes(character)) depth--
    if ((character === ',' && depth === 1) || (at === type.length - 1 && depth === 0)) {
      members.push(type.slice(start, at).replace(/\/\*.*?\*\//g, '').trim())
      start = at + 1
    }
  }
  return members
}
