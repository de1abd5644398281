/** The message of what `run` throws, without the place in the test that it names. Fails if nothing is thrown. */
export function messageOf(run: () => unknown): string {
  try {
    run()
  } catch (error) {
    return (error as Error).message.replace(/\n {2}at [\s\S]*$/, '')
  }
  throw new Error('expected an error, got none')
}
