import type { Location } from './location.ts'
import { type Block, type DiscardableAttributes, Func, Operation, Region, type Value } from './module.ts'
import { type Rename, renamedAttributes } from './symbols.ts'

/** Copies operations with what is in their regions. What a value is in the copy is kept in a map; values it lacks stand for themselves. */
export class Copier {
  protected readonly map: Map<Value, Value>
  /** Copies of blocks. */
  protected readonly blocks = new Map<Block, Block>()

  constructor(map: Map<Value, Value> = new Map()) {
    this.map = map
  }

  /** A value in the copy. */
  value = (value: Value): Value => this.map.get(value) ?? value

  /** The attributes of the copy. */
  protected attributes(operation: Operation): { attributes: any; discardable: DiscardableAttributes | undefined } {
    return operation
  }

  /** The location of the copy. */
  protected location(operation: Operation): Location | undefined {
    return operation.location
  }

  /** A copy that belongs to `block`; the caller puts it there. */
  operation(operation: Operation, block: Block): Operation {
    const regions = operation.regions.map((region) => this.region(region))
    const { attributes, discardable } = this.attributes(operation)
    const types = operation.results.map((result) => result.type)
    const copy = new Operation(block, operation.definition, operation.operands.map(this.value), attributes, types, regions, this.location(operation))
    copy.discardable = discardable
    operation.results.forEach((result, i) => this.map.set(result, copy.results[i]))
    return copy
  }

  region(region: Region): Region {
    const copy = new Region()
    for (const block of region.blocks) {
      const target = copy.addBlock(block.arguments.map((argument) => argument.type))
      this.blocks.set(block, target)
      block.arguments.forEach((argument, i) => this.map.set(argument, target.arguments[i]))
      for (const operation of block.operations) target.operations.push(this.operation(operation, target))
    }
    return copy
  }
}

class RenamingCopier extends Copier {
  readonly #rename: Rename

  constructor(rename: Rename) {
    super()
    this.#rename = rename
  }

  protected override attributes(operation: Operation): { attributes: any; discardable: DiscardableAttributes | undefined } {
    return renamedAttributes(operation, this.#rename)
  }
}

/** A private copy of a function under another name, in which the functions it names have other names too. */
export function copyFunction(func: Func, name: string, rename: Rename): Func {
  const body = new RenamingCopier(rename).region(func.body)
  const copy = new Func(name, func.argumentTypes, { visibility: 'private', body })
  copy.resultTypes = func.resultTypes
  copy.argumentAttributes = [...func.argumentAttributes]
  copy.resultAttributes = [...func.resultAttributes]
  copy.discardable = func.discardable
  copy.location = func.location
  return copy
}
