import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { HostArray } from '../../src/ir/host-array.ts'
import { tensorType } from '../../src/ir/types.ts'
import { CancelledError, CompileError, ExecutionError, RunnerArgumentError, type RunnerError } from '../../src/runner/errors.ts'
import type { Runner } from '../../src/runner/runner.ts'
import { startRunner } from '../../src/runner/start.ts'
import { addition, slow, tooLarge, useTooLarge } from './programs.ts'

let runner: Runner
beforeAll(async () => {
  runner = await startRunner()
})
afterAll(() => runner?.close())

const one = HostArray.from('f32', [1, 1, 1, 1])
const rejection = (promise: Promise<unknown>): Promise<RunnerError> =>
  promise.then(
    () => expect.fail('did not reject'),
    (error: RunnerError) => error,
  )
/** The message without the part that depends on where this checkout lies. */
const message = (error: Error) => error.message.replace(/\n {2}at .*(errors\.test\.ts):\d+:\d+\)?$/, '\n  at $1')

describe('a program that cannot be compiled', () => {
  const broken = (from: string, to: string) => ({ ...addition(), text: addition().text.replace(from, to) })

  it('is shown with the place in its text and the place that asked', async () => {
    const error = await rejection(runner.compile(broken('stablehlo.add %x', 'stablehlo.addd %x')))
    expect(error).toBeInstanceOf(CompileError)
    expect(message(error)).toMatchInlineSnapshot(`
      "cannot compile addition: addition.mlir:3:10: error: custom op 'stablehlo.addd' is unknown
        3 |     %0 = stablehlo.addd %x, %y : tensor<4xf32>
          |          ^
        at errors.test.ts"
    `)
    expect(error.callSite?.callSite?.file).toMatch(/errors\.test\.ts$/)
    expect(error.code).toBe('COMPILE')
  })

  it('by its types', async () => {
    const error = await rejection(runner.compile(broken('return %0 : tensor<4xf32>', 'return %0 : tensor<5xf32>')))
    expect(message(error)).toMatchInlineSnapshot(`
      "cannot compile addition: addition.mlir:4:12: error: use of value '%0' expects different type than prior uses: 'tensor<5xf32>' vs 'tensor<4xf32>'
      addition.mlir:3:5: note: prior use here
        4 |     return %0 : tensor<5xf32>
          |            ^
        at errors.test.ts"
    `)
  })

  it('by an unknown custom call', async () => {
    const error = await rejection(
      runner.compile(broken('stablehlo.add %x, %y : tensor<4xf32>', 'stablehlo.custom_call @nobody(%x) : (tensor<4xf32>) -> tensor<4xf32>')),
    )
    expect(message(error)).toMatchInlineSnapshot(`
      "cannot compile addition (NOT_FOUND): No registered implementation for untyped custom call to nobody for Host
        at errors.test.ts"
    `)
  })

  it.each(['', 'hello', 'module {}', 'func.func public @other() { return }'])('such as %j, and the runner goes on', async (text) => {
    expect(await rejection(runner.compile({ ...addition(), text }))).toBeInstanceOf(CompileError)
    await runner.ping()
  })

  it('because it returns another number of results than it says', async () => {
    const error = await rejection(runner.compile({ ...addition(), outputs: [] }))
    expect(message(error)).toBe('addition declares 0 outputs, its text returns 1\n  at errors.test.ts')
  })

  it('or whose results are of another type than it says', async () => {
    const add = await runner.compile({ ...addition(), outputs: [tensorType('i32', [4])] })
    const error = await rejection(add.execute([one, one])[0].read())
    expect(message(error)).toBe('addition declares a result i32[4], its text returns f32[4]\n  at errors.test.ts')
  })
})

describe('inputs that cannot be right', () => {
  const caught = (action: () => unknown): Error => {
    try {
      action()
    } catch (error) {
      expect(error).toBeInstanceOf(RunnerArgumentError)
      return error as Error
    }
    return expect.fail('did not throw')
  }

  it('are named before anything is sent', async () => {
    const add = await runner.compile(addition())
    const { executions } = await runner.statistics()
    expect(message(caught(() => add.execute([one])))).toBe('addition takes 2 inputs (f32[4], f32[4]), got 1 (f32[4])\n  at errors.test.ts')
    expect(message(caught(() => add.execute([one, HostArray.from('i32', [1, 2, 3, 4])])))).toBe(
      'addition: input 1 must be f32[4], got i32[4]\n  at errors.test.ts',
    )
    expect(message(caught(() => add.execute([runner.put(HostArray.from('f32', [[1, 1, 1, 1]])), one])))).toBe(
      'addition: input 0 must be f32[4], got f32[1,4]\n  at errors.test.ts',
    )
    expect((await runner.statistics()).executions).toBe(executions)
  })

  it('because they are elsewhere', async () => {
    const other = await startRunner()
    try {
      const add = await runner.compile(addition())
      expect(caught(() => add.execute([one, other.put(one)])).message).toContain('input 1, f32[4], is on another runner; read it and pass the array')
      await expect(runner.saveBuffers('x', { x: other.put(one) })).rejects.toThrow('cannot save x: the buffer is not on this runner')
    } finally {
      await other.close()
    }
  })
})

describe('a program that fails', () => {
  it('fails all its results, and what was started on them, with one error', async () => {
    const large = await runner.compile(tooLarge)
    const use = await runner.compile(useTooLarge)
    const [x] = large.execute([HostArray.from('f32', 1)])
    const [y] = use.execute([x])
    const error = await rejection(y.read())
    expect(error).toBeInstanceOf(ExecutionError)
    expect((error as ExecutionError).status).toBe('RESOURCE_EXHAUSTED')
    expect(message(error)).toMatchInlineSnapshot(`
      "tooLarge failed (RESOURCE_EXHAUSTED): Out of memory allocating 1125899906842624 bytes.
        at errors.test.ts"
    `)
    expect(await rejection(x.read())).toBe(error)
    expect(await rejection(x.ready())).toBe(error)
    expect(await rejection(runner.saveBuffers('nowhere', { y }))).toBe(error)
    // Nobody need read it for the runner to go on.
    large.execute([HostArray.from('f32', 1)])[0].release()
    await runner.ping()
  })
})

describe('cancel', () => {
  it('drops a compilation, also one that has begun', async () => {
    const aborted = new AbortController()
    aborted.abort()
    expect(message(await rejection(runner.compile(addition(), { signal: aborted.signal })))).toBe(
      'the compilation of addition was cancelled\n  at errors.test.ts',
    )
    const { executables } = await runner.statistics()
    const controller = new AbortController()
    const compiling = rejection(runner.compile(addition(), { signal: controller.signal }))
    controller.abort()
    expect(await compiling).toBeInstanceOf(CancelledError)
    // If it had begun its result is released, by a request sent when the reply came.
    await expect.poll(async () => (await runner.statistics()).executables).toBe(executables)
  })

  it('drops an execution that waits, and what needs its results', async () => {
    const run = await runner.compile(slow)
    const [busy] = run.execute([HostArray.from('i32', 500_000)])
    const controller = new AbortController()
    const [count] = run.execute([HostArray.from('i32', 1)], { signal: controller.signal })
    const [after] = run.execute([count])
    const [other] = run.execute([HostArray.from('i32', 3)])
    controller.abort()
    const error = await rejection(count.read())
    expect(message(error)).toBe('slow was cancelled\n  at errors.test.ts')
    expect(await rejection(after.read())).toBe(error)
    expect((await other.read()).item()).toBe(3)
    expect((await busy.read()).item()).toBe(500_000)
    // Too late for one that has run.
    controller.abort()
    expect((await other.read()).item()).toBe(3)
  })
})
