import { EngramError, InputError } from '../ir/errors.ts'
import type { Block, Func, Module, Operation, Region } from '../ir/module.ts'
import type { HostFuture, HostValue, ParallelPrograms } from '../ir/op-definition.ts'
import { type ProcessPlace, type Step, type StepWalk, onlyProcess, processNumber } from '../ir/steps.ts'
import { provideInfeed } from '../ops/host-transfer.ts'
import { type Environment, Evaluator, checkCall, checkInputs, evaluationError, findFunction } from './evaluator.ts'

/**
 * Many processes in one thread. Each walks through its function on its own until an op needs another process; then the next one
 * goes on. The order is always the same, so the result is too. Ordinary programs do not come here.
 */

/** What a walk cannot answer itself. */
type Request = Exclude<Step, { readonly kind: 'run' | 'call' | 'start' }> | { readonly kind: 'spawn'; readonly walk: ProcessWalk }
type ProcessWalk = Generator<Request, readonly HostValue[], readonly HostValue[]>

/** One process: its operations one by one, with a pause where an op meets other processes. */
class Process {
  readonly place: ProcessPlace
  readonly #evaluator: Evaluator
  #depth = 0

  constructor(evaluator: Evaluator) {
    this.#evaluator = evaluator
    this.place = evaluator.options.process
  }

  *func(func: Func, inputs: readonly HostValue[]): ProcessWalk {
    this.#depth++
    checkCall(func, this.#depth)
    const results = yield* this.#block(func.block, inputs, new Map())
    this.#depth--
    return results
  }

  /** A region that uses nothing from outside. */
  *region(region: Region, inputs: readonly HostValue[]): ProcessWalk {
    return yield* this.#block(region.block, inputs, new Map())
  }

  *#block(block: Block, inputs: readonly HostValue[], environment: Environment): ProcessWalk {
    const evaluator = this.#evaluator
    const dying = evaluator.enter(block, inputs, environment)
    for (const [i, operation] of block.operations.entries()) {
      const operands = operation.operands.map((operand) => environment.get(operand)!)
      if (operation.definition.traits?.terminator) return operands
      const results = operation.definition.steps
        ? yield* this.#steps(operation, operands, environment)
        : evaluator.operation(operation, operands, environment)
      evaluator.leave(operation, results, dying[i], environment)
    }
    return []
  }

  *#steps(operation: Operation, operands: readonly HostValue[], environment: Environment): ProcessWalk {
    const context = this.#evaluator.context(operation, operands, environment)
    const walk: StepWalk = operation.definition.steps!(context)
    let answer: readonly HostValue[] = []
    for (;;) {
      let next: IteratorResult<Step, readonly HostValue[]>
      try {
        next = walk.next(answer)
      } catch (error) {
        throw evaluationError(operation, error)
      }
      if (next.done) return next.value
      const step = next.value
      if (step.kind === 'run') answer = yield* this.#block(step.region.block, step.inputs, environment)
      else if (step.kind === 'call') answer = yield* this.func(findFunction(this.#evaluator.module, step.symbol), step.inputs)
      // What runs on its own keeps what it uses, whatever dies here meanwhile.
      else if (step.kind === 'start') answer = yield { kind: 'spawn', walk: this.#block(step.region.block, step.inputs, new Map(environment)) }
      else answer = yield step
    }
  }
}

/** A walk under way: a process, or what one has started. */
interface Task {
  readonly process: Process
  readonly walk: ProcessWalk
  /** Where the results go that others wait for. */
  readonly future: HostFuture
  /** The answer to go on with; undefined while it waits. */
  answer: readonly HostValue[] | undefined
  /** What it waits for, for messages. */
  waitsFor: string
}

class Scheduler {
  readonly #tasks: Task[] = []
  readonly #waiters = new Map<HostFuture, Task[]>()
  /** By meeting and members: the tasks that have come, per process, with what they brought. */
  readonly #meetings = new Map<string, Map<number, { readonly task: Task; readonly values: readonly HostValue[] }[]>>()
  readonly #channels = new Map<string, { readonly sent: (readonly HostValue[])[]; readonly waiting: Task[] }>()

  add(process: Process, walk: ProcessWalk): HostFuture {
    const future: HostFuture = { kind: 'future', results: undefined }
    this.#tasks.push({ process, walk, future, answer: [], waitsFor: '' })
    return future
  }

  /** Runs everything to its end. Throws if the rest waits for what will never come. */
  run(): void {
    for (let progress = true; progress; ) {
      progress = false
      for (let i = 0; i < this.#tasks.length; i++) {
        const task = this.#tasks[i]
        if (task.future.results || !task.answer) continue
        progress = true
        while (task.answer) this.#advance(task)
      }
    }
    const stuck = this.#tasks.filter(({ future }) => !future.results)
    if (stuck.length === 0) return
    const places = stuck.map(({ process: { place }, waitsFor }) => `  replica ${place.replica}, partition ${place.partition}: ${waitsFor}`)
    throw new EngramError(`the processes wait for each other forever:\n${places.join('\n')}`, { code: 'DEADLOCK' })
  }

  #advance(task: Task): void {
    const next = task.walk.next(task.answer!)
    task.answer = undefined
    if (next.done) return this.#finish(task, next.value)
    const request = next.value
    switch (request.kind) {
      case 'spawn':
        task.answer = [this.add(task.process, request.walk)]
        return
      case 'wait':
        task.answer = request.future.results
        if (!task.answer) listIn(this.#waiters, request.future).push(task)
        task.waitsFor = 'waits for what async_start started'
        return
      case 'send': {
        const channel = this.#channel(request.channel)
        const receiver = channel.waiting.shift()
        if (receiver) receiver.answer = request.values
        else channel.sent.push(request.values)
        task.answer = []
        return
      }
      case 'receive': {
        const channel = this.#channel(request.channel)
        task.answer = channel.sent.shift()
        if (!task.answer) channel.waiting.push(task)
        task.waitsFor = `receives on ${request.channel}, where nothing is sent`
        return
      }
      case 'meet':
        return this.#meet(task, request)
    }
  }

  #finish(task: Task, results: readonly HostValue[]): void {
    task.future.results = results
    for (const waiter of this.#waiters.get(task.future) ?? []) waiter.answer = results
  }

  #meet(task: Task, { meeting, members, values }: Extract<Request, { kind: 'meet' }>): void {
    const key = `${meeting} of processes ${members.join(', ')}`
    let arrived = this.#meetings.get(key)
    if (!arrived) this.#meetings.set(key, (arrived = new Map()))
    listIn(arrived, processNumber(task.process.place)).push({ task, values })
    task.waitsFor = `waits at ${key}`
    if (!members.every((member) => arrived.get(member)?.length)) return
    const parties = members.map((member) => arrived.get(member)!.shift()!)
    const answer = parties.map((party): HostValue => ({ kind: 'tuple', elements: party.values }))
    for (const party of parties) party.task.answer = answer
  }

  #channel(name: string) {
    let channel = this.#channels.get(name)
    if (!channel) this.#channels.set(name, (channel = { sent: [], waiting: [] }))
    return channel
  }
}

function listIn<K, V>(lists: Map<K, V[]>, key: K): V[] {
  let list = lists.get(key)
  if (!list) lists.set(key, (list = []))
  return list
}

export interface ParallelOptions {
  /** Called after every operation of every process. */
  readonly onOperation?: (operation: Operation, results: readonly HostValue[]) => void
  /** State that ops share in this run: what `infeed` is to give, what `outfeed` gave. */
  readonly shared?: Map<string, unknown>
}

/** What one process of a grid does. */
type ProcessStart = (process: Process) => ProcessWalk

const startOf = (func: Func, inputs: readonly HostValue[]): ProcessStart => (process) => process.func(func, inputs)

/** Starts each process of a grid and runs all to their end; gives the results of each. */
function runGrid(
  module: Module,
  grid: readonly (readonly ProcessStart[])[],
  options: ParallelOptions,
): (readonly HostValue[])[] {
  const scheduler = new Scheduler()
  const shared = options.shared ?? new Map<string, unknown>()
  const futures = grid.flatMap((row, replica) =>
    row.map((start, partition) => {
      const process = { replica, partition, replicas: grid.length, partitions: row.length }
      const evaluator = new Evaluator(module, {
        process,
        shared,
        onOperation: options.onOperation,
        parallel: (programs) => runPrograms(module, programs, options),
      })
      const runner = new Process(evaluator)
      return scheduler.add(runner, start(runner))
    }))
  scheduler.run()
  return futures.map(({ results }) => results!)
}

/**
 * Runs functions of the module, or regions, each on its own process, and gives the results of all, row by row.
 * Throws what `interpretParallel` throws.
 */
export function runPrograms(module: Module, { programs, inputs, infeed }: ParallelPrograms, options: ParallelOptions): readonly HostValue[] {
  const shared = new Map<string, unknown>()
  const alone = new Evaluator(module, { process: onlyProcess, shared, parallel: () => [] })
  for (const symbol of infeed) provideInfeed(shared, alone.func(findFunction(module, symbol), []))
  let next = 0
  const grid = programs.map((row) =>
    row.map((program): ProcessStart => {
      const func = typeof program === 'string' ? findFunction(module, program) : undefined
      const count = func ? func.argumentTypes.length : (program as Region).block.arguments.length
      const own = inputs.slice(next, (next += count))
      if (!func) return (process) => process.region(program as Region, own)
      checkInputs(func, own)
      return startOf(func, own)
    }))
  return runGrid(module, grid, { onOperation: options.onOperation, shared }).flat()
}

/**
 * Runs `@main` (or the only function) of a module on a grid of processes that meet in its collectives: `inputs[replica][partition]`
 * are the inputs of one process, and the results come in the same arrangement. What `infeed` gives is put in `options.shared` with
 * `provideInfeed`, what `outfeed` gave is found there with `takeOutfeed`. Throws `InputError` for wrong inputs or a ragged grid,
 * `EngramError` with code `DEADLOCK` if processes wait for each other forever.
 */
export function interpretParallel(
  module: Module,
  inputs: readonly (readonly (readonly HostValue[])[])[],
  options: ParallelOptions = {},
): (readonly HostValue[])[][] {
  const { main } = module
  const partitions = inputs[0]?.length ?? 0
  if (partitions === 0 || inputs.some((row) => row.length !== partitions))
    throw new InputError(`the grid of processes needs rows of one length, got ${inputs.map((row) => row.length).join(', ') || 'none'}`, 'PROCESS_GRID')
  inputs.flat().forEach((own) => checkInputs(main, own))
  const results = runGrid(module, inputs.map((row) => row.map((own) => startOf(main, own))), options)
  return inputs.map((_, replica) => results.slice(replica * partitions, (replica + 1) * partitions))
}
