// Module hooks of the `engram` command; tsx is registered after them and asks them.
let folder
let extension

/** Told once, by the command: the folder of the library's files and the ending they have. */
export function initialize(data) {
  folder = data.folder
  extension = data.extension
}

/**
 * `engram` and `engram/NAME` mean the copy that is running, from whatever folder they are imported. And a `.ts` file is an
 * ES module even where no package.json says so: loaded as CommonJS it would get a second copy of the library.
 */
export async function resolve(specifier, context, nextResolve) {
  const match = /^engram(?:\/([a-z-]+))?$/.exec(specifier)
  const wanted = match ? new URL(`${match[1] ? `${match[1]}/index` : 'index'}${extension}`, folder).href : specifier
  const found = await nextResolve(wanted, context)
  return /^file:[^?]*\.tsx?(\?|$)/.test(found.url) ? { ...found, format: 'module' } : found
}
