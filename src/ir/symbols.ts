import type { Attribute } from './attributes.ts'
import type { DiscardableAttributes, Func, Module, Operation } from './module.ts'
import { walkOperations } from './module.ts'
import type { AttributeCodec, OpDefinition } from './op-definition.ts'

/**
 * Names of functions in attributes: which ones an op refers to, and the same attributes with other names. Which of an op's attributes
 * hold such names is said by their codecs.
 */

/** Gives a symbol its new name. */
export type Rename = (symbol: string) => string

/** The attribute with every symbol in it renamed; the same object if it has none. */
export function renameInAttribute(attribute: Attribute, rename: Rename): Attribute {
  switch (attribute.kind) {
    case 'symbol': {
      const name = rename(attribute.name)
      return name === attribute.name ? attribute : { kind: 'symbol', name }
    }
    case 'array': {
      const elements = attribute.elements.map((element) => renameInAttribute(element, rename))
      return elements.every((element, i) => element === attribute.elements[i]) ? attribute : { kind: 'array', elements }
    }
    case 'dictionary': {
      const entries = renameInEntries(attribute.entries, rename)
      return entries === attribute.entries ? attribute : { kind: 'dictionary', entries }
    }
    default:
      return attribute
  }
}

function renameInEntries(entries: DiscardableAttributes, rename: Rename): DiscardableAttributes {
  let renamed: Record<string, Attribute> | undefined
  for (const name in entries) {
    const attribute = renameInAttribute(entries[name], rename)
    if (attribute !== entries[name]) (renamed ??= { ...entries })[name] = attribute
  }
  return renamed ?? entries
}

const symbolic = new WeakMap<OpDefinition, readonly string[]>()

/** The attributes of an op that can hold symbols. */
function symbolicAttributes(definition: OpDefinition): readonly string[] {
  let names = symbolic.get(definition)
  if (!names) {
    const codecs = definition.attributes as Record<string, AttributeCodec<unknown>>
    symbolic.set(definition, (names = Object.keys(codecs).filter((name) => codecs[name].rename)))
  }
  return names
}

/** What an op's attributes are when the functions they name have other names; the same objects if they name none. */
export function renamedAttributes(operation: Operation, rename: Rename): { attributes: any; discardable: DiscardableAttributes | undefined } {
  const { definition, discardable } = operation
  let { attributes } = operation
  for (const name of symbolicAttributes(definition)) {
    const value = attributes[name]
    if (value === undefined) continue
    const codecs = definition.attributes as Record<string, AttributeCodec<unknown>>
    attributes = { ...attributes, [name]: codecs[name].rename!(value, rename) }
  }
  return { attributes, discardable: discardable && renameInEntries(discardable, rename) }
}

/** The functions of the module that a function names in its body, each once. */
export function namedFunctions(func: Func, module: Module): Func[] {
  const found = new Set<Func>()
  const note: Rename = (symbol) => {
    const named = module.find(symbol)
    if (named) found.add(named)
    return symbol
  }
  for (const block of func.body.blocks)
    walkOperations(block, (operation) => {
      if (operation.discardable || symbolicAttributes(operation.definition).length) renamedAttributes(operation, note)
    })
  return [...found]
}

/** Functions that can be reached from `roots` by name, the roots among them. */
export function reachableFunctions(roots: readonly Func[], module: Module): Set<Func> {
  const reached = new Set<Func>(roots)
  // A set is walked in the order of insertion, also over what is added meanwhile.
  for (const func of reached) for (const named of namedFunctions(func, module)) reached.add(named)
  return reached
}
