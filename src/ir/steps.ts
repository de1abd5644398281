import type { Region } from './module.ts'
import type { EvaluateContext, HostFuture, HostValue } from './op-definition.ts'

/**
 * Semantics with pauses. An op that runs regions or functions, or that meets other processes, says so in steps: it yields what
 * it asks for and is given the answer. Whoever drives the steps can do other work in between, so that one thread can interpret
 * many processes in a fixed order.
 */

/** Where a process stands in the grid of processes. */
export interface ProcessPlace {
  readonly replica: number
  readonly partition: number
  /** Sizes of the grid. */
  readonly replicas: number
  readonly partitions: number
}

/** The only process there is, of an ordinary program. */
export const onlyProcess: ProcessPlace = { replica: 0, partition: 0, replicas: 1, partitions: 1 }

/** The number of a process: replica by replica. */
export const processNumber = ({ replica, partition, partitions }: ProcessPlace): number => replica * partitions + partition

/** What an op asks for. The answer to each is a list of values. */
export type Step =
  /** What the region's terminator returns. */
  | { readonly kind: 'run'; readonly region: Region; readonly inputs: readonly HostValue[] }
  /** What the function returns. */
  | { readonly kind: 'call'; readonly symbol: string; readonly inputs: readonly HostValue[] }
  /** Begins to run a region; the answer is one future. */
  | { readonly kind: 'start'; readonly region: Region; readonly inputs: readonly HostValue[] }
  /** What the region of a future returned. */
  | { readonly kind: 'wait'; readonly future: HostFuture }
  /**
   * Meets the other members of a group: processes with the same `meeting` and `members`, each at its first call that has not
   * met yet. The answer has a tuple for each member, in the order of `members`, of the values it brought.
   */
  | { readonly kind: 'meet'; readonly meeting: string; readonly members: readonly number[]; readonly values: readonly HostValue[] }
  /** Puts values on a channel; the answer is empty. */
  | { readonly kind: 'send'; readonly channel: string; readonly values: readonly HostValue[] }
  /** The oldest values on a channel. */
  | { readonly kind: 'receive'; readonly channel: string }

export type StepWalk = Generator<Step, readonly HostValue[], readonly HostValue[]>
export type StepRule<A> = (context: EvaluateContext<A>) => StepWalk
