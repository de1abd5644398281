import type { BundleCount } from './bundles.ts'
import { type HloComputation, type HloModule, type HloOp, calledComputation, customCallTarget } from './hlo.ts'
import { kernelKeys } from './kernel-key.ts'
import { hbmTraffic } from './traffic.ts'

/** The speed of one device. */
export interface DeviceSpeed {
  /** Cycles a second. */
  readonly clockHz: number
  /** Bytes a second between the device and its HBM. */
  readonly hbmBytesPerSecond: number
}

/** What one op of the optimised program takes. */
export interface OpEstimate {
  readonly name: string
  readonly opcode: string
  /** `layer1/attention`; empty where the program does not say. */
  readonly scope: string
  /** The place in the user's program, `model.ts:12:3`. */
  readonly source: string | undefined
  /** How often it is carried out in one run of the program. */
  readonly times: number
  /** At least so long, all its runs together: the longer of computing and moving. */
  readonly seconds: number
  readonly computeSeconds: number
  readonly hbmBytes: number
  /** Opcodes of what was fused into it, each once; empty if it is no fusion. */
  readonly fused: readonly string[]
  /** The target, if it is a custom call or has one inside. */
  readonly customCall: string | undefined
  /** Where the cycles come from: its own bundles, those of an op that is the same but for its name, or nowhere (counted as none). */
  readonly bundles: 'own' | 'twin' | 'none'
}

/** How long a program takes at least, as far as its code tells. */
export interface TimeEstimate {
  readonly seconds: number
  /** How the seconds came about. */
  readonly method: string
  readonly computeSeconds: number
  readonly hbmSeconds: number
  readonly hbmBytes: number
  /** In the order in which they are carried out. */
  readonly ops: readonly OpEstimate[]
  /** Loops whose number of turns is not known, counted as one turn. */
  readonly unknownLoops: number
}

/** `TimeEstimate.method` of what is estimated here. */
export const bundleMethod = 'of each op the longer of its instruction bundles, times their loops, and its bytes at full HBM bandwidth; summed'

/** Ops that cost nothing: names for what is there. */
const free: ReadonlySet<string> = new Set(['parameter', 'constant', 'get-tuple-element', 'tuple', 'bitcast', 'after-all', 'partition-id', 'replica-id'])
/** Ops that carry out other computations of the program. */
const controlFlow: ReadonlySet<string> = new Set(['while', 'conditional', 'call'])

/** Estimates one run of a compiled program from its text and the bundles of its kernels, by the name of their ops. */
export function estimateTime(module: HloModule, kernels: ReadonlyMap<string, BundleCount>, speed: DeviceSpeed): TimeEstimate {
  const walk = new Walk(module, kernels, speed)
  walk.computation(module.entry, 1)
  const sum = (of: (op: OpEstimate) => number) => walk.ops.reduce((total, op) => total + of(op), 0)
  const hbmBytes = sum((op) => op.hbmBytes)
  const hbmSeconds = hbmBytes / speed.hbmBytesPerSecond
  return {
    seconds: Math.max(sum((op) => op.seconds), hbmSeconds),
    method: bundleMethod,
    computeSeconds: sum((op) => op.computeSeconds),
    hbmSeconds,
    hbmBytes,
    ops: walk.ops,
    unknownLoops: walk.unknownLoops,
  }
}

class Walk {
  readonly ops: OpEstimate[] = []
  unknownLoops = 0
  readonly #module: HloModule
  readonly #kernels: ReadonlyMap<string, BundleCount>
  readonly #speed: DeviceSpeed
  readonly #keys: (op: HloOp, computation: HloComputation) => string
  /** Kernels by what they are but for their names: the compiler makes the code of equal ops once. */
  readonly #twins = new Map<string, BundleCount>()

  constructor(module: HloModule, kernels: ReadonlyMap<string, BundleCount>, speed: DeviceSpeed) {
    this.#module = module
    this.#kernels = kernels
    this.#speed = speed
    this.#keys = kernelKeys(module)
    for (const computation of module.computations.values())
      for (const op of computation.ops) {
        const kernel = kernels.get(op.name)
        if (kernel) this.#twins.set(this.#keys(op, computation), kernel)
      }
  }

  computation(computation: HloComputation, times: number): void {
    for (const op of computation.ops) {
      if (free.has(op.opcode)) continue
      if (controlFlow.has(op.opcode)) this.#control(op, computation, times)
      else this.ops.push(this.#op(op, computation, times))
    }
  }

  #op(op: HloOp, computation: HloComputation, times: number): OpEstimate {
    const own = this.#kernels.get(op.name)
    const kernel = own ?? this.#twins.get(this.#keys(op, computation))
    this.unknownLoops += kernel?.unknownLoops ?? 0
    const hbmBytes = times * hbmTraffic(op, computation, this.#module)
    const computeSeconds = (times * (kernel?.cycles ?? 0)) / this.#speed.clockHz
    // What is started here moves its bytes while others compute.
    const movesMeanwhile = /-(start|done)$/.test(op.opcode)
    const inside = this.#module.computations.get((op.opcode === 'fusion' && calledComputation(op, 'calls')) || '')
    const members = inside === undefined ? [] : [...this.#members(inside)]
    const fused = [...new Set(members.map(({ opcode }) => opcode))].filter((opcode) => opcode !== 'fusion' && !free.has(opcode))
    return {
      name: op.name,
      opcode: op.opcode,
      scope: op.scope ?? inside?.root.scope ?? members.findLast(({ scope }) => scope !== undefined)?.scope ?? '',
      source: op.source ?? inside?.root.source ?? members.findLast(({ source }) => source !== undefined)?.source,
      times,
      seconds: movesMeanwhile ? computeSeconds : Math.max(computeSeconds, hbmBytes / this.#speed.hbmBytesPerSecond),
      computeSeconds,
      hbmBytes,
      fused,
      customCall: customCallTarget(op) ?? members.map(customCallTarget).find((target) => target !== undefined),
      bundles: own ? 'own' : kernel ? 'twin' : 'none',
    }
  }

  /** Ops of a fused computation and of those fused into it. */
  *#members(computation: HloComputation): Generator<HloOp> {
    for (const op of computation.ops) {
      yield op
      const inner = op.opcode === 'fusion' ? this.#module.computations.get(calledComputation(op, 'calls') ?? '') : undefined
      if (inner) yield* this.#members(inner)
    }
  }

  #control(op: HloOp, computation: HloComputation, times: number): void {
    const called = (attribute: string) => this.#module.computations.get(calledComputation(op, attribute) ?? '')
    if (op.opcode === 'while') {
      const turns = turnsOf(op, computation, called('condition'))
      if (turns === undefined) this.unknownLoops++
      const body = called('body')
      if (body) this.computation(body, times * (turns ?? 1))
    } else if (op.opcode === 'call') {
      const body = called('to_apply')
      if (body) this.computation(body, times)
    } else {
      const names = /branch_computations=\{([^}]*)\}/.exec(op.attributes)?.[1].match(/[\w.<>-]+/g) ?? [calledComputation(op, 'true_computation'), calledComputation(op, 'false_computation')]
      this.#longest(names.flatMap((name) => this.#module.computations.get(name ?? '') ?? []), times)
    }
  }

  /** Of the branches only the longest counts. */
  #longest(branches: readonly HloComputation[], times: number): void {
    const start = this.ops.length
    let best: { seconds: number; ops: OpEstimate[] } = { seconds: -1, ops: [] }
    for (const branch of branches) {
      this.computation(branch, times)
      const ops = this.ops.splice(start)
      const seconds = ops.reduce((sum, op) => sum + op.seconds, 0)
      if (seconds > best.seconds) best = { seconds, ops }
    }
    this.ops.push(...best.ops)
  }
}

/** How often a loop turns: as XLA says, or by a condition that compares a counter from a constant with a constant. */
function turnsOf(loop: HloOp, computation: HloComputation, condition: HloComputation | undefined): number | undefined {
  const known = /"known_trip_count":\{"n":"(\d+)"/.exec(loop.attributes)
  if (known) return Number(known[1])
  const compare = condition?.root
  if (condition === undefined || compare?.opcode !== 'compare' || !/direction=LT/.test(compare.attributes)) return undefined
  const [counter, limit] = compare.operands.map((name) => condition.byName.get(name))
  if (counter?.opcode !== 'get-tuple-element' || limit?.opcode !== 'constant') return undefined
  const index = Number(/index=(\d+)/.exec(counter.attributes)?.[1])
  const initial = computation.byName.get(loop.operands[0])
  const first = computation.byName.get(initial?.operands[index] ?? '')
  const turns = Number(limit.literal) - (first?.opcode === 'constant' ? Number(first.literal) : 0)
  return Number.isInteger(turns) ? Math.max(0, turns) : undefined
}
