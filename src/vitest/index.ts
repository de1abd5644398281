/**
 * The vitest room: matchers for golden-testing what a function is lowered to. `import 'engram/vitest'` in a test, or in a set-up file for
 * all, adds them to `expect`: `toMatchStableHLO` compares with a golden file by structure, `toContainOps` looks for ops in order, `toAgree`
 * runs the program on the interpreter and on a backend, `toCompileFor` compiles it for a target. Each takes what a test has at hand: a
 * program, StableHLO text, or a function with the types of its arguments.
 */
import { afterAll, expect } from 'vitest'
import { type AgreeOptions, agree } from './agree.ts'
import { type CompileForOptions, compileForTarget } from './compile-target.ts'
import { type ContainOptions, containOps } from './contain-ops.ts'
import { type MatchOptions, matchStableHLO } from './match-stablehlo.ts'
import type { OpPatternStep } from './op-patterns.ts'
import { closeSessions } from './sessions.ts'

export type { AgreeOptions, AgreementTolerance } from './agree.ts'
export type { CompileForOptions } from './compile-target.ts'
export type { ContainOptions } from './contain-ops.ts'
export type { MatchOptions } from './match-stablehlo.ts'
export type { OpDescription, OpPattern, OpPatternStep, TextPattern, TypePattern } from './op-patterns.ts'
export type { TextStep } from './text-patterns.ts'
export type { Tolerance } from '../host/agreement.ts'

/** What `import 'engram/vitest'` adds to `expect`. */
export interface EngramMatchers {
  /**
   * The program is the one in the golden file, by structure: names of values, spacing and locations do not matter. `file` is relative to the
   * test's folder; without it the name follows from the test's. A file that is not there is written, `vitest -u` writes it again; on CI nothing
   * is written. Rejects with the parser's caret error if the file cannot be read.
   */
  toMatchStableHLO(file?: string, options?: MatchOptions): Promise<void>
  toMatchStableHLO(options?: MatchOptions): Promise<void>
  /** The program has ops that match the patterns in this order, those in regions and private functions included; other ops may stand between them. */
  toContainOps(patterns: readonly OpPatternStep[] | OpPatternStep, options?: ContainOptions): void
  /** The program gives the same on the interpreter and on a backend, within a tolerance, for given inputs or for random ones. */
  toAgree(options?: AgreeOptions): Promise<void>
  /**
   * XLA compiles the program for the target: `cpu`, or TPUs that need not be there, `tpu:v5e:2x2`; `hlo` are patterns for the optimised program.
   * A failure shows the compiler's message and the op that it is about.
   */
  toCompileFor(target: string, options?: CompileForOptions): Promise<void>
}

declare module 'vitest' {
  interface Matchers<T = any> extends EngramMatchers {}
}

/**
 * Adds the matchers to `expect`, and ends the backends that they start after the tests of the file. Importing `engram/vitest` does this once;
 * call it again in every test file if vitest runs with `isolate: false`, which loads the module once for all of them.
 */
export function setupEngramMatchers(): void {
  expect.extend({
    toMatchStableHLO(received: unknown, file?: string | MatchOptions, options?: MatchOptions) {
      return typeof file === 'object' ? matchStableHLO(this, received, undefined, file) : matchStableHLO(this, received, file, options ?? {})
    },
    toContainOps(received: unknown, patterns: readonly OpPatternStep[] | OpPatternStep, options?: ContainOptions) {
      return containOps(received, patterns, options)
    },
    toAgree(received: unknown, options?: AgreeOptions) {
      return agree(received, options ?? {}, this.isNot)
    },
    toCompileFor(received: unknown, target: string, options?: CompileForOptions) {
      return compileForTarget(received, target, options ?? {})
    },
  })
  afterAll(closeSessions)
}

setupEngramMatchers()
