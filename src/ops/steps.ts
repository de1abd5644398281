import { EngramError } from '../ir/errors.ts'
import type { Region } from '../ir/module.ts'
import type { EvaluateContext, HostFuture, HostValue } from '../ir/op-definition.ts'
import { type Step, processNumber } from '../ir/steps.ts'

/** `evaluate` of an op that says its semantics in steps. */
export const evaluateSteps = (context: EvaluateContext<any>): readonly HostValue[] => {
  const walk = context.operation.definition.steps!(context)
  let next = walk.next()
  while (!next.done) next = walk.next(answerAlone(context, next.value))
  return next.value
}

/** Asks for a region to be run. */
export const run = (region: Region, inputs: readonly HostValue[]): Step => ({ kind: 'run', region, inputs })

/** The answer to a step where there is one process and nothing runs side by side. */
function answerAlone(context: EvaluateContext<unknown>, step: Step): readonly HostValue[] {
  switch (step.kind) {
    case 'run':
      return context.run(step.region, step.inputs)
    case 'call':
      return context.call(step.symbol, step.inputs)
    case 'start': {
      const future: HostFuture = { kind: 'future', results: context.run(step.region, step.inputs) }
      return [future]
    }
    case 'wait':
      return step.future.results!
    case 'meet': {
      const other = step.members.find((member) => member !== processNumber(context.process))
      if (other !== undefined)
        throw new EngramError(
          `${context.operation.name}: its group has process ${other}, but only one process runs: give the program a grid of processes with interpretParallel`,
          { code: 'MISSING_PROCESS' },
        )
      return [{ kind: 'tuple', elements: step.values }]
    }
    case 'send':
      channelOf(context, step.channel).push(step.values)
      return []
    case 'receive':
      return (
        channelOf(context, step.channel).shift() ??
        failReceive(`${context.operation.name}: nothing was sent on ${step.channel}, and only one process runs: it would wait forever`)
      )
  }
}

function channelOf(context: EvaluateContext<unknown>, name: string): (readonly HostValue[])[] {
  const key = `channel ${name}`
  let queue = context.shared.get(key) as (readonly HostValue[])[] | undefined
  if (!queue) context.shared.set(key, (queue = []))
  return queue
}

function failReceive(message: string): never {
  throw new EngramError(message, { code: 'DEADLOCK' })
}
