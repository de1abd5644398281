import type { AttributeCodecs, NotDifferentiable, OpDefinition } from '../ir/op-definition.ts'

/**
 * The StableHLO catalogue: one object per op with everything that the passes know about it, and beside it the builder that
 * emits it. To add an op: its file (or a place in its family's file), one line in `catalogue.ts`, one sample in
 * `test/support/op-samples.ts`.
 */

/** Gives an op definition its type; leaving out a part is a compile error. */
export const defineOp = <const A extends AttributeCodecs>(definition: OpDefinition<A>): OpDefinition<A> => definition

/** Asking for a gradient through this op is an error that says `why`. */
export const notDifferentiable = (why: string): NotDifferentiable => ({ notDifferentiable: why })

/** The results are integers, booleans or constant almost everywhere: their gradient is zero. */
export const zeroGradient = (why: string): NotDifferentiable => ({ notDifferentiable: why, zero: true })

/** The op's name in messages: without the dialect, as the specification has it. */
export const shortOpName = (name: string): string => name.replace(/^(stablehlo|func|chlo)\./, '')
