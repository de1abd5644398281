import type { Location } from '../ir/location.ts'
import type { Module } from '../ir/module.ts'
import { captureLocation, currentFrame } from './frame.ts'

/** A choice among the spellings of a function, made while a program was traced, for a person who asks why the program is as it is. */
export interface Choice {
  /** What was to be done: `search`. */
  readonly what: string
  /** With what: types and sizes. */
  readonly of: string
  /** The spelling chosen, by its name. */
  readonly chosen: string
  /** One sentence. */
  readonly reason: string
}

/** A choice, and where it was made. */
export interface ChoiceMade extends Choice {
  readonly location: Location
}

const made = new WeakMap<Module, ChoiceMade[]>()

/** Notes a choice for the module under construction; it changes nothing in it. Throws `TraceError` outside a trace. */
export function recordChoice(choice: Choice): void {
  const { module } = currentFrame()
  const known = made.get(module)
  const one = { ...choice, location: captureLocation(recordChoice) }
  if (known) known.push(one)
  else made.set(module, [one])
}

/** The choices made while a module was traced, in order; none for a module that was parsed. */
export const choicesOf = (module: Module): readonly ChoiceMade[] => made.get(module) ?? []
