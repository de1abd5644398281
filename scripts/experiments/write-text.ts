import { writeFileAtomic } from '../../src/data/atomic-file.ts'

/** Makes a text file, whole or not at all. */
export const writeText = (path: string, text: string): Promise<void> => writeFileAtomic(path, (writer) => writer.write(new TextEncoder().encode(text)))
