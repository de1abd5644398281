import { type HloComputation, type HloModule, type HloOp, calledComputation } from './hlo.ts'

/**
 * A function that says what kernel an op needs: the same string for ops that differ in nothing but names and places. XLA makes the
 * code of such ops once and prints its bundles under the name of one of them.
 */
export function kernelKeys(module: HloModule): (op: HloOp, computation: HloComputation) => string {
  const bodies = new Map<string, string>()
  /** The computation with every name replaced by its number. */
  const bodyKey = (name: string): string => {
    let key = bodies.get(name)
    if (key === undefined) {
      const computation = module.computations.get(name)
      key = computation === undefined ? name : computation.ops.map((op) => opKey(op, computation, numbering(computation))).join('\n')
      bodies.set(name, key)
    }
    return key
  }
  const opKey = (op: HloOp, computation: HloComputation, numbers?: ReadonlyMap<string, number>): string => {
    const operands = op.operands.map((name) => numbers?.get(name) ?? computation.byName.get(name)?.type ?? name)
    const literal = op.operands.length === 0 ? op.literal : ''
    return `${op.isRoot && numbers ? 'ROOT ' : ''}${op.type} ${op.opcode}(${operands.join(', ')}${literal})${attributesKey(op, bodyKey)}`
  }
  return (op, computation) => opKey(op, computation)
}

const numbering = (computation: HloComputation): Map<string, number> => new Map(computation.ops.map(({ name }, i) => [name, i]))

/** Attributes without the compiler's notes, and with called computations in place of their names. */
function attributesKey(op: HloOp, bodyKey: (name: string) => string): string {
  const { attributes } = op
  const notes = attributes.indexOf(', backend_config=')
  let key = notes < 0 ? attributes : attributes.slice(0, notes)
  for (const attribute of ['calls', 'to_apply']) {
    const name = calledComputation(op, attribute)
    if (name !== undefined) key = key.replace(new RegExp(`\\b${attribute}=%?[\\w.<>-]+`), () => `${attribute}={${bodyKey(name)}}`)
  }
  return key
}
