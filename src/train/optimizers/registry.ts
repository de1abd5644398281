import { z } from 'zod'
import { adafactor, adafactorSchema } from './adafactor.ts'
import { adam, adamSchema } from './adam.ts'
import type { Optimizer } from './optimizer.ts'

/** The configuration of an optimiser. */
export const optimizerSchema = z.discriminatedUnion('kind', [adafactorSchema, adamSchema])
export type OptimizerOptions = z.infer<typeof optimizerSchema>

/** The optimiser that a configuration names. */
export const makeOptimizer = (options: OptimizerOptions): Optimizer => (options.kind === 'adam' ? adam(options) : adafactor(options))
