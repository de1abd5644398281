// Where things are, and whether this Node can run them. No dependencies: this is what runs before anything is installed.
import path from 'node:path'
import { fileURLToPath } from 'node:url'

/** The folder of the checkout (or of the installed package). */
export const projectRoot = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..', '..')

/** The oldest Node that runs Engram: 20.19 is the first 20 with `require` of ES modules. */
export const oldestNode = [20, 19]

/** Throws a {@link SetupError} when Node is older than {@link oldestNode}. */
export function checkNode(version = process.versions.node) {
  const [major, minor] = version.split('.').map(Number)
  if (major > oldestNode[0] || (major === oldestNode[0] && minor >= oldestNode[1])) return
  throw new SetupError(`Node ${version} is too old: Engram needs Node ${oldestNode.join('.')} or newer`, [
    'Get it from https://nodejs.org, or with a version manager: `nvm install 22`, `fnm install 22`, `volta install node@22`.',
  ])
}

/** A set-up step that could not be done: what happened, what the tool said, and what the user can do about it. */
export class SetupError extends Error {
  /**
   * @param {string} message what happened
   * @param {string[]} advice what to do, a sentence each
   * @param {string[]} output the last lines of the tool that failed
   */
  constructor(message, advice = [], output = []) {
    super(message)
    this.name = 'SetupError'
    this.advice = advice
    this.output = output
  }

  /** The error as lines for a terminal. */
  toLines() {
    return [
      `set-up failed: ${this.message}`,
      ...(this.output.length > 0 ? ['', ...this.output.map((line) => `  | ${line}`), ''] : []),
      ...this.advice.map((line) => `  ${line}`),
    ]
  }
}
