import type { CompiledFor } from '../program/compile-for.ts'
import type { OpEstimate } from '../xla/estimate.ts'
import { parseHlo } from '../xla/hlo.ts'
import { type ChoiceFacts, choiceLines } from './program-facts.ts'
import { type SearchFinding, findSearches } from '../xla/search.ts'

const gigabytes = (bytes: number): string =>
  bytes < 1e3 ? `${bytes} B` : bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} kB` : bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(2)} GB`
const time = (seconds: number): string => (seconds < 1e-3 ? `${(seconds * 1e6).toFixed(1)} us` : seconds < 1 ? `${(seconds * 1e3).toFixed(2)} ms` : `${seconds.toFixed(2)} s`)
const count = (value: number): string => (value < 1e6 ? `${value}` : value < 1e9 ? `${(value / 1e6).toFixed(1)} million` : `${(value / 1e9).toFixed(1)} billion`)
const percent = (part: number, whole: number): string => (whole === 0 ? '-' : `${((100 * part) / whole).toFixed(1)} %`)

/** Ops of one scope, the slowest first. */
interface ScopeRow {
  readonly scope: string
  readonly seconds: number
  readonly hbmBytes: number
  readonly ops: readonly OpEstimate[]
}

/** Scopes by their ops' time, the slowest first. */
export function byScope(ops: readonly OpEstimate[]): ScopeRow[] {
  const groups = new Map<string, OpEstimate[]>()
  for (const op of ops) {
    const group = groups.get(op.scope)
    if (group) group.push(op)
    else groups.set(op.scope, [op])
  }
  const sum = (of: readonly OpEstimate[], key: 'seconds' | 'hbmBytes') => of.reduce((total, op) => total + op[key], 0)
  return [...groups]
    .map(([scope, group]) => ({ scope, seconds: sum(group, 'seconds'), hbmBytes: sum(group, 'hbmBytes'), ops: group.toSorted((a, b) => b.seconds - a.seconds) }))
    .toSorted((a, b) => b.seconds - a.seconds)
}

/** Custom calls by target, and how often each is made. */
function customCalls(ops: readonly OpEstimate[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { customCall, times } of ops) if (customCall !== undefined) counts[customCall] = (counts[customCall] ?? 0) + times
  return counts
}

/** What `--json` prints. */
export function compiledJson(compiled: CompiledFor): object {
  const { topology, hlo, estimate, serialized, ...facts } = compiled
  return {
    ...facts,
    ...(topology && { topology: { name: topology.name, chips: topology.chips, devices: topology.devices, device: topology.device } }),
    hloBytes: Buffer.byteLength(hlo),
    ...(serialized && { executableBytes: serialized.byteLength }),
    ...(compiled.memory && topology && { fits: compiled.memory.peak <= topology.device.hbmBytes }),
    ...(estimate && { estimate, customCalls: customCalls(estimate.ops), searches: findSearches(parseHlo(hlo), estimate) }),
  }
}

/** The table for people; `shown` ops of each scope, and what was chosen while the program was traced. */
export function compiledText(name: string, compiled: CompiledFor, { shown, choices = [] }: { shown: number; choices?: readonly ChoiceFacts[] }): string {
  const { target, topology, devices, memory, estimate, flops, compileSeconds } = compiled
  const line = (title: string, text: string): string => `${title.padEnd(13)}${text}`
  const lines = [line('program', name), line('target', topology ? `${target}, ${devices} of ${topology.devices} device${topology.devices === 1 ? '' : 's'}; ${deviceText(topology)}` : target), line('compiled in', `${compileSeconds.toFixed(1)} s`)]
  lines.push(...choiceLines(choices))
  if (memory) {
    const parts = `arguments ${gigabytes(memory.arguments)}, outputs ${gigabytes(memory.outputs)}, of which aliased ${gigabytes(memory.aliased)}, temporaries ${gigabytes(memory.temporaries)}`
    const fits = topology && (memory.peak <= memory.hbm ? `: it fits (${percent(memory.peak, memory.hbm)})` : ': it does not fit')
    lines.push(line('memory', topology ? `at most ${gigabytes(memory.peak)} of ${gigabytes(memory.hbm)} of HBM${fits}` : parts), ...(topology ? [line('', parts)] : []))
  }
  if (flops !== undefined && flops >= 0) lines.push(line('flops', count(flops)))
  if (estimate && topology) {
    const used = flops !== undefined && flops > 0 && estimate.seconds > 0 ? `, ${percent(flops / estimate.seconds, topology.device.peakFlops)} of the device's peak` : ''
    lines.push(
      line('estimate', `${time(estimate.seconds)} a run at least${used}: an estimate from the compiled code, not measured`),
      line('', `computing ${time(estimate.computeSeconds)}, HBM ${time(estimate.hbmSeconds)} for ${gigabytes(estimate.hbmBytes)}`),
      line('method', estimate.method),
    )
    if (estimate.unknownLoops > 0) lines.push(line('', `${estimate.unknownLoops} loops whose number of turns is not known count as one turn`))
    for (const search of findSearches(parseHlo(compiled.hlo), estimate)) lines.push(line('search', searchText(search)))
    const calls = Object.entries(customCalls(estimate.ops))
    if (calls.length > 0) lines.push(line('custom calls', calls.map(([call, count]) => `${call} (${count})`).join(', ')))
    lines.push('', ...opTable(estimate.ops, estimate.seconds, shown))
  }
  return `${lines.join('\n')}\n`
}

const deviceText = ({ generation, device }: NonNullable<CompiledFor['topology']>): string =>
  `one of ${generation.name} has ${Math.round(device.hbmBytes / 2 ** 30)} GiB of HBM, ${(device.hbmBytesPerSecond / 1e9).toFixed(0)} GB/s, ${(device.peakFlops / 1e12).toFixed(0)} Tflop/s (bf16)`

/** In words for someone who never saw a TPU. */
export function searchText({ scope, scores, fusedWith, inHbm, onChip, seconds }: SearchFinding): string {
  const how =
    fusedWith === undefined
      ? 'the scores are made first and searched afterwards'
      : `${fusedWith === 'reduce' ? 'the reduction to the best of each bin' : fusedWith} is fused with the matrix product`
  const where =
    inHbm.length > 0
      ? `scores ${scores.type} (${gigabytes(scores.bytes)}) go through HBM: ${inHbm.length === 1 ? 'a buffer' : `${inHbm.length} buffers`} of that size, ${gigabytes(inHbm.reduce((sum, { bytes }) => sum + bytes, 0))}`
      : onChip.length > 0
        ? `scores ${scores.type} (${gigabytes(scores.bytes)}) stay in the chip's own memory, none in HBM`
        : `no score matrix in HBM (it would be ${scores.type}, ${gigabytes(scores.bytes)})`
  return `${scope === '' ? '' : `${scope}: `}${how}; ${where}; ${time(seconds)}`
}

const scopesShown = 24

function opTable(ops: readonly OpEstimate[], total: number, shown: number): string[] {
  const row = (seconds: number, hbmBytes: number, text: string): string =>
    `${time(seconds).padStart(10)}  ${percent(seconds, total).padStart(7)}  ${gigabytes(hbmBytes).padStart(9)}  ${text}`
  const scopes = byScope(ops)
  const lines = [`${'estimate'.padStart(10)}  ${'share'.padStart(7)}  ${'HBM'.padStart(9)}  scope, and its slowest ops`]
  for (const { scope, seconds, hbmBytes, ops: inScope } of scopes.slice(0, scopesShown)) {
    lines.push(row(seconds, hbmBytes, `${scope || '(no scope)'} (${inScope.length} ops)`))
    for (const op of inScope.slice(0, shown)) if (op.seconds > 0.002 * total) lines.push(row(op.seconds, op.hbmBytes, `    ${opText(op)}`))
  }
  const rest = scopes.slice(scopesShown)
  if (rest.length > 0) {
    const sum = (key: 'seconds' | 'hbmBytes') => rest.reduce((all, scope) => all + scope[key], 0)
    lines.push(row(sum('seconds'), sum('hbmBytes'), `${rest.length} more scopes`))
  }
  return lines
}

/** Ops inside a fusion that say what it is for. */
const telling: ReadonlySet<string> = new Set(['convolution', 'dot', 'gather', 'scatter', 'sort', 'reduce', 'reduce-window', 'dynamic-slice', 'dynamic-update-slice', 'exponential', 'transpose', 'copy', 'concatenate', 'custom-call', 'select', 'multiply', 'add'])

function opText({ name, opcode, fused, customCall, source, times }: OpEstimate): string {
  const inside = fused.filter((inner) => telling.has(inner) && inner !== 'custom-call')
  const what = [...(customCall === undefined ? [] : [customCall]), ...inside.slice(0, customCall === undefined ? 4 : 3)]
  const place = source === undefined ? '' : `  ${source.replace(/^.*\/(?=[^/]+$)/, '')}`
  return `${name}: ${opcode}${what.length > 0 ? ` of ${what.join(', ')}` : ''}${times === 1 ? '' : `, ${times} times`}${place}`
}
