import { performance } from 'node:perf_hooks'
import { walkOperations } from '../../src/ir/module.ts'
import { preset } from '../../src/models/registry.ts'
import { initProgram, stateTypes, stepProgram } from './train-program.ts'

/**
 * Traces, differentiates and prints one train step in this process, which has done nothing like it before except to trace the
 * initial state, whose types the step needs (as the peer does with `eval_shape`). Prints times as JSON.
 */
const name = process.argv[2]
const configured = preset('memorizing-transformer', name)
const state = stateTypes(initProgram(configured, 8))
const start = performance.now()
const program = stepProgram(configured, 8, state)
const traced = performance.now()
const { text } = program
const printed = performance.now()
let operations = 0
for (const func of program.module.functions) walkOperations(func.block, () => operations++)
console.log(JSON.stringify({ traceMs: traced - start, printMs: printed - traced, bytes: text.length, operations }))
