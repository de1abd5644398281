import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

/**
 * The pages of the documentation as a test sees them. A block ```` ```ts test ```` is a program that is type-checked and run; `more` after it
 * joins it to the block before, `file=NAME` names its file. What it prints stands in the comment behind each `console.log(...)`, and the
 * rest in the block that follows if that is marked `output`.
 */
export const root = fileURLToPath(new URL('../..', import.meta.url))

export interface CodeBlock {
  readonly language: string
  /** The words after the language. */
  readonly marks: readonly string[]
  readonly code: string
  /** Of its first line, from 1. */
  readonly line: number
}

export interface Example {
  /** `README.md:12` */
  readonly name: string
  /** Folder of the page and name of the file: the programs of a page can import one another. */
  readonly file: string
  readonly code: string
  /** What it has to print, line by line. */
  readonly output: readonly string[]
}

/** The README and all pages under `docs/`, as paths from the root. */
export const pageNames = (): string[] => [
  'README.md',
  ...fs.readdirSync(path.join(root, 'docs'), { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.md')).map((name) => path.posix.join('docs', name.split(path.sep).join('/'))).sort(),
]

export const readPage = (name: string): string => fs.readFileSync(path.join(root, name), 'utf8')

/** The fenced blocks of a page. */
export function codeBlocks(page: string): CodeBlock[] {
  const blocks: CodeBlock[] = []
  let open: { marks: string[]; line: number; code: string[] } | undefined
  page.split('\n').forEach((line, i) => {
    if (!line.startsWith('```')) open?.code.push(line)
    else if (open) {
      const [language = '', ...marks] = open.marks
      blocks.push({ language, marks, code: open.code.join('\n'), line: open.line })
      open = undefined
    } else open = { marks: line.slice(3).trim().split(/\s+/), line: i + 2, code: [] }
  })
  if (open) throw new Error(`the block that begins at line ${open.line - 1} is not closed`)
  return blocks
}

/** Trailing comments of the lines that print: `console.log(x) // 1`. */
const printed = (code: string): string[] => [...code.matchAll(/console\.log\(.*\)\s*\/\/ (.*)$/gm)].map((match) => match[1])

/** The programs of a page. */
export function examplesOf(pageName: string, page: string): Example[] {
  const blocks = codeBlocks(page)
  const examples: Example[] = []
  blocks.forEach((block, i) => {
    if (!block.marks.includes('test')) return
    const next = blocks[i + 1]
    const output = [...printed(block.code), ...(next?.marks.includes('output') ? next.code.split('\n') : [])]
    const before = examples.at(-1)
    if (block.marks.includes('more') && before) {
      examples[examples.length - 1] = { ...before, code: `${before.code}\n${block.code}`, output: [...before.output, ...output] }
      return
    }
    const fileName = block.marks.find((mark) => mark.startsWith('file='))?.slice(5) ?? `example-${block.line}.ts`
    examples.push({ name: `${pageName}:${block.line}`, file: `${pageName.replace(/\W+/g, '-')}/${fileName}`, code: block.code, output })
  })
  return examples
}
