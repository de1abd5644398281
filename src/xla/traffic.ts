import { type HloComputation, type HloModule, type HloOp, arraysOf, calledComputation, tupleMembers } from './hlo.ts'

/** Bytes of a type's arrays that lie in HBM. */
const hbmBytesOf = (type: string): number => arraysOf(type).reduce((sum, { bytes, onChip }) => sum + (onChip ? 0 : bytes), 0)
/** Bytes of a type's arrays, wherever they lie. */
const bytesOf = (type: string): number => arraysOf(type).reduce((sum, { bytes }) => sum + bytes, 0)

/** Ops that read of their first operand only what they give back. */
const partialReads: ReadonlySet<string> = new Set(['slice', 'dynamic-slice', 'gather'])

/**
 * Bytes that an op moves between the device and its HBM at least: operands and results that do not lie on the chip, of an operand
 * that is only sliced or gathered from what is taken, of a result that is an operand updated in place what is written.
 */
export function hbmTraffic(op: HloOp, computation: HloComputation, module: HloModule): number {
  const { opcode, type } = op
  if (opcode.endsWith('-done')) return 0
  const typeOf = (name: string) => computation.byName.get(name)?.type ?? ''
  const operands = op.operands.map(typeOf)
  if (opcode.endsWith('-start')) {
    const [first, second] = tupleMembers(type)
    if (opcode === 'copy-start') return hbmBytesOf(first) + hbmBytesOf(second ?? '')
    if (/^(dynamic-)?slice-start$/.test(opcode)) return readOf(operands[0], bytesOf(second)) + hbmBytesOf(second)
    return operands.reduce((sum, operand) => sum + hbmBytesOf(operand), 0) + hbmBytesOf(second ?? first)
  }
  const called = opcode === 'fusion' ? module.computations.get(calledComputation(op, 'calls') ?? '') : undefined
  if (called) {
    const read = operands.reduce((sum, operand, i) => sum + readOf(operand, parameterBytes(called, i, module)), 0)
    return read + writtenBytes(called.root, called, type)
  }
  const read = op.operands.reduce((sum, name, i) => sum + (op.operands.indexOf(name) === i ? readOf(typeOf(name), bytesReadBy(op, name, bytesOf(typeOf(name)))) : 0), 0)
  const update = updateOf(op)
  return read + (update === undefined ? hbmBytesOf(type) : readOf(type, bytesOf(typeOf(update))))
}

/** Of an array of which `bytes` are read or written, those in HBM. */
const readOf = (type: string, bytes: number): number => Math.min(hbmBytesOf(type), bytes)

/** The operand that an op writes into its first one, if it works in place. */
const updateOf = (op: HloOp): string | undefined => (op.opcode === 'dynamic-update-slice' ? op.operands[1] : op.opcode === 'scatter' ? op.operands[2] : undefined)

/** What `op` reads of its operand `name`, which has `all` bytes. */
function bytesReadBy(op: HloOp, name: string, all: number): number {
  if (op.operands.lastIndexOf(name) > 0) return all
  if (partialReads.has(op.opcode)) return bytesOf(op.type)
  return updateOf(op) === undefined ? all : 0
}

/** What a fused computation reads of its parameter number `index`. */
function parameterBytes(computation: HloComputation, index: number, module: HloModule): number {
  const parameter = computation.ops.find(({ opcode, literal }) => opcode === 'parameter' && Number(literal) === index)
  return parameter === undefined ? 0 : usedBytes(parameter, computation, module)
}

function usedBytes(value: HloOp, computation: HloComputation, module: HloModule): number {
  const all = bytesOf(value.type)
  let used = value.isRoot ? all : 0
  for (const user of computation.ops) {
    if (used >= all) break
    if (!user.operands.includes(value.name)) continue
    const called = user.opcode === 'fusion' ? module.computations.get(calledComputation(user, 'calls') ?? '') : undefined
    if (user.opcode === 'bitcast') used += usedBytes(user, computation, module)
    else if (called) user.operands.forEach((name, i) => (used += name === value.name ? parameterBytes(called, i, module) : 0))
    else used += bytesReadBy(user, value.name, all)
  }
  return Math.min(used, all)
}

/** What a fused computation writes: all of its result of type `type`, unless its root updates an operand in place. */
function writtenBytes(root: HloOp, computation: HloComputation, type: string): number {
  const operand = (name: string | undefined) => computation.byName.get(name ?? '')
  if (root.opcode === 'tuple') {
    const members = tupleMembers(type)
    return root.operands.reduce((sum, name, i) => sum + writtenBytes(operand(name) ?? root, computation, members[i] ?? ''), 0)
  }
  const inner = root.opcode === 'bitcast' ? operand(root.operands[0]) : undefined
  if (inner && inner.opcode !== 'tuple') return writtenBytes(inner, computation, type)
  const update = operand(updateOf(root))
  return update === undefined ? hbmBytesOf(type) : readOf(type, bytesOf(update.type))
}
