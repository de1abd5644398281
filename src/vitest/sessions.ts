import { InputError } from '../ir/errors.ts'
import { Session } from '../program/session.ts'
import { type BackendName, startSession } from '../program/start.ts'
import { TpuCompiler } from '../runner/tpu-compiler.ts'

/** Backends that matchers started, shared by all tests of a worker. */
const running = new Map<string, Promise<Session>>()

const names: readonly BackendName[] = ['cpu', 'tpu', 'interpreter']

/** The session of a name, started when it is first asked for; a session that is given is used as it is. */
export function sessionOf(backend: BackendName | Session): Promise<Session> {
  if (backend instanceof Session) return Promise.resolve(backend)
  if (!names.includes(backend)) throw new InputError(`there is no backend ${String(backend)}: expected ${names.join(', ')}, or a session`)
  let session = running.get(backend)
  if (!session) {
    session = startSession(backend)
    running.set(backend, session)
    // The next test shall try again.
    session.catch(() => running.delete(backend))
  }
  return session
}

let compiler: TpuCompiler | undefined

/** The compiler for TPUs that are not there; its process starts with the first program. */
export const tpuCompiler = (): TpuCompiler => (compiler ??= new TpuCompiler())

/** Ends what matchers started. */
export async function closeSessions(): Promise<void> {
  const sessions = [...running.values()]
  running.clear()
  const tpu = compiler
  compiler = undefined
  await tpu?.close()
  await Promise.all(sessions.map(async (session) => (await session.catch(() => undefined))?.close()))
}
