import { exitCodes } from './report-error.ts'

/** The first Ctrl-C (or SIGTERM) says what follows and aborts the signal, the second ends the process. Forget it when done. */
export function interruption(whatFollows: string): { readonly signal: AbortSignal; forget(): void } {
  const controller = new AbortController()
  const onSignal = (): void => {
    if (controller.signal.aborted) process.exit(exitCodes.interrupted)
    process.stderr.write(`engram: interrupted: ${whatFollows} (again: quit at once)\n`)
    controller.abort()
  }
  process.on('SIGINT', onSignal)
  process.on('SIGTERM', onSignal)
  return {
    signal: controller.signal,
    forget: () => {
      process.off('SIGINT', onSignal)
      process.off('SIGTERM', onSignal)
    },
  }
}

/** Runs work that leaves nothing behind when it is stopped; Ctrl-C then ends it with exit code 130. */
export async function stoppable(action: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const stop = interruption('stopping; nothing half-written is left')
  try {
    await action(stop.signal)
  } catch (error) {
    if (!stop.signal.aborted) throw error
    process.exitCode = exitCodes.interrupted
  } finally {
    stop.forget()
  }
}
