import { describe } from 'vitest'
import { libtpuExistsHere } from '../../src/runner/python.ts'

/**
 * Tests that compile for TPUs: everywhere where libtpu exists, and there a missing one is a failure (`npm test` installs it). Elsewhere they are
 * skipped, which vitest counts and `npm test` says in its last lines.
 */
export const describeTpu = libtpuExistsHere() ? describe : describe.skip
