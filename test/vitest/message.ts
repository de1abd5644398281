/** What a matcher says when it fails, without colours and without the folder of this checkout. */
export async function failure(assertion: () => unknown): Promise<string> {
  try {
    await assertion()
  } catch (error) {
    // eslint-disable-next-line no-control-regex
    return (error as Error).message.replace(/\u001b\[\d+m/g, '').replaceAll(`${process.cwd()}/`, '')
  }
  throw new Error('the matcher did not fail')
}
