import { TraceError } from '../ir/errors.ts'

/**
 * Plain nested objects and arrays, and the flat lists that programs have. A structure remembers the nesting; `null` and
 * `undefined` are branches without leaves. Keys keep the order in which the object was written.
 */
export type TreeStructure =
  | { readonly kind: 'leaf' }
  | { readonly kind: 'nothing'; readonly value: null | undefined }
  | { readonly kind: 'array'; readonly items: readonly TreeStructure[] }
  | { readonly kind: 'object'; readonly keys: readonly string[]; readonly items: readonly TreeStructure[] }

/** `T` with every `From` in it replaced by `To`. */
export type MapTree<T, From, To> = T extends From ? To
  : T extends (...args: never[]) => unknown ? never
  : T extends object ? { [K in keyof T]: MapTree<T[K], From, To> }
  : T

const leafStructure: TreeStructure = { kind: 'leaf' }

/** Leaves in order, and the structure around them. Anything that is neither leaf, array nor plain object throws `TraceError`. */
export function flatten<L>(tree: unknown, isLeaf: (value: unknown) => value is L, what: string): { leaves: L[]; structure: TreeStructure } {
  const leaves: L[] = []
  const walk = (value: unknown, path: string): TreeStructure => {
    if (isLeaf(value)) {
      leaves.push(value)
      return leafStructure
    }
    if (value === null || value === undefined) return { kind: 'nothing', value }
    if (Array.isArray(value)) return { kind: 'array', items: value.map((item, i) => walk(item, `${path}[${i}]`)) }
    if (isPlainObject(value)) {
      const keys = Object.keys(value)
      return { kind: 'object', keys, items: keys.map((key) => walk(value[key], path ? `${path}.${key}` : key)) }
    }
    throw new TraceError(
      `${what}: ${path || 'the value'} is ${describe(value)}, expected ${what.includes('spec') ? 'a type such as f32(8, 512)' : 'a tensor'} or plain objects and arrays of them`,
      'BAD_TREE',
    )
  }
  return { structure: walk(tree, ''), leaves }
}

/** The leaves of a tree that must have the given structure; keys may be in any order, further keys are refused. */
export function flattenLike<L>(structure: TreeStructure, tree: unknown, isLeaf: (value: unknown) => value is L, what: string): L[] {
  const leaves: L[] = []
  const wrong = (path: string, expected: string, value: unknown): never => {
    throw new TraceError(`${what}: ${path || 'the value'} is ${describe(value)}, expected ${expected}`, 'BAD_TREE')
  }
  const walk = (node: TreeStructure, value: unknown, path: string): void => {
    switch (node.kind) {
      case 'leaf':
        if (!isLeaf(value)) wrong(path, 'an array', value)
        else leaves.push(value)
        return
      case 'nothing':
        if (value !== null && value !== undefined) wrong(path, String(node.value), value)
        return
      case 'array':
        if (!Array.isArray(value) || value.length !== node.items.length) wrong(path, `an array of ${node.items.length}`, value)
        else node.items.forEach((item, i) => walk(item, value[i], `${path}[${i}]`))
        return
      case 'object': {
        if (!isPlainObject(value)) return wrong(path, `an object with ${node.keys.join(', ')}`, value)
        for (const key of Object.keys(value))
          if (value[key] !== undefined && !node.keys.includes(key))
            throw new TraceError(`${what}: unknown key ${path ? `${path}.` : ''}${key}, expected ${node.keys.join(', ')}`, 'BAD_TREE')
        node.keys.forEach((key, i) => walk(node.items[i], value[key], path ? `${path}.${key}` : key))
      }
    }
  }
  walk(structure, tree, '')
  return leaves
}

/** Puts leaves back into their structure. */
export function unflatten(structure: TreeStructure, leaves: readonly unknown[]): unknown {
  let next = 0
  const build = (node: TreeStructure): unknown => {
    switch (node.kind) {
      case 'leaf':
        return leaves[next++]
      case 'nothing':
        return node.value
      case 'array':
        return node.items.map(build)
      case 'object':
        return Object.fromEntries(node.keys.map((key, i) => [key, build(node.items[i])]))
    }
  }
  return build(structure)
}

/** The path of every leaf: `weights.layers[0].query`. */
export function leafPaths(structure: TreeStructure): string[] {
  const paths: string[] = []
  const walk = (node: TreeStructure, path: string): void => {
    if (node.kind === 'leaf') paths.push(path)
    else if (node.kind === 'array') node.items.forEach((item, i) => walk(item, `${path}[${i}]`))
    else if (node.kind === 'object') node.keys.forEach((key, i) => walk(node.items[i], path ? `${path}.${key}` : key))
  }
  walk(structure, '')
  return paths
}

export const leafCount = (structure: TreeStructure): number => leafPaths(structure).length

export function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false
  const prototype = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

function describe(value: unknown): string {
  if (value === null || value === undefined) return String(value)
  if (Array.isArray(value)) return `an array of ${value.length}`
  if (typeof value === 'object') return isPlainObject(value) ? `an object with ${Object.keys(value).join(', ') || 'no keys'}` : `a ${value.constructor?.name ?? 'object'}`
  return `${typeof value} ${String(value)}`
}
