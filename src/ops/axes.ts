import { OpError } from '../ir/errors.ts'
import { captureLocation } from '../trace/frame.ts'

/** An axis of a tensor of the given rank; negative ones count from the end. Throws `OpError`. */
export function resolveAxis(op: string, axis: number, rank: number): number {
  if (!Number.isInteger(axis) || axis < -rank || axis >= rank)
    throw new OpError(op, `axis ${axis} is out of range for rank ${rank}`, undefined, captureLocation(resolveAxis))
  return axis < 0 ? axis + rank : axis
}

/** The same for several axes, which must be distinct; sorted. */
export function resolveAxes(op: string, axes: number | readonly number[], rank: number): number[] {
  const list = (typeof axes === 'number' ? [axes] : [...axes]).map((axis) => resolveAxis(op, axis, rank)).sort((a, b) => a - b)
  if (new Set(list).size !== list.length)
    throw new OpError(op, `axes [${axes}] name an axis twice`, undefined, captureLocation(resolveAxes))
  return list
}
