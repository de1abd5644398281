import type { Batch } from '../data/packing.ts'
import type { DeviceBuffer } from '../ir/backend.ts'
import type { StepFacts } from './step-meter.ts'

/** A step that was started and not yet looked at. */
export interface StepUnderWay {
  readonly step: number
  readonly batch: Batch
  readonly metrics: Readonly<Record<string, DeviceBuffer>>
  readonly diagnostics: Readonly<Record<string, DeviceBuffer>>
}

/** Waits for a step and reads what it measured; its diagnostics only where they are wanted. Rejects with the backend's error. */
export async function readFacts({ step, batch, metrics, diagnostics }: StepUnderWay, withDiagnostics: boolean): Promise<StepFacts> {
  const number = async (buffer: DeviceBuffer): Promise<number> => (await buffer.read()).item()
  const { loss, total, count, correct, gradientNorm, auxiliary } = metrics
  const [numbers, trainedBeside, looked] = await Promise.all([
    Promise.all([loss, total, count, correct, gradientNorm].map(number)),
    auxiliary && number(auxiliary),
    withDiagnostics ? Promise.all(Object.entries(diagnostics).map(async ([name, buffer]) => [name, Array.from((await buffer.read()).data, Number)] as const)) : [],
  ])
  const [meanLoss, nats, weight, right, norm] = numbers
  return {
    step,
    loss: meanLoss,
    nats,
    weight,
    correct: right,
    gradientNorm: norm,
    ...(trainedBeside === undefined ? {} : { auxiliary: trainedBeside }),
    tokens: batch.counts.tokens,
    bytes: batch.counts.bytes,
    diagnostics: Object.fromEntries(looked),
  }
}

/** Gives the memory of a step's measurements back. */
export function releaseStep({ metrics, diagnostics }: StepUnderWay): void {
  for (const buffer of [...Object.values(metrics), ...Object.values(diagnostics)]) buffer.release()
}
