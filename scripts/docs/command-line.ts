/**
 * `npx tsx scripts/docs/command-line.ts`: writes `docs/reference/command-line.md` from what the commands print for `--help`. With `--check` it
 * writes nothing and fails if the page is not current.
 */
import { execFile } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { Command } from 'commander'

const root = fileURLToPath(new URL('../..', import.meta.url))
const pageFile = path.join(root, 'docs/reference/command-line.md')

async function overviewHelp(): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [path.join(root, 'bin/engram.mjs'), '--help'], { cwd: root })
  return stdout.trim()
}

/**
 * What `engram NAME --help` prints where standard output is no terminal, and the same of its own commands under headings of theirs; without the
 * start of a process for each.
 */
async function commandSection(name: string): Promise<string> {
  const { command } = (await import(pathToFileURL(path.join(root, `src/cli/${name}.ts`)).href)) as { command: () => Command }
  const top = command()
  new Command('engram').addCommand(top)
  const nested = top.commands.map((each) => section(`### engram ${name} ${each.name()}`, each))
  return [section(`## engram ${name}`, top), ...nested].join('\n')
}

function section(heading: string, command: Command): string {
  let text = ''
  command.configureOutput({ writeOut: (part) => void (text += part), getOutHelpWidth: () => 80 }).outputHelp()
  return `${heading}\n\n\`\`\`text\n${text.trim()}\n\`\`\`\n`
}

/** The page, from the commands as they are now. */
export async function commandLinePage(): Promise<string> {
  const overview = await overviewHelp()
  const listed = overview.slice(overview.indexOf('\nCommands:'))
  const names = [...listed.matchAll(/^ {2}([a-z]+)(?= )/gm)].map((match) => match[1]).filter((name) => name !== 'help')
  const sections = [`# Command line

<!-- Written by scripts/docs/command-line.ts from the commands' own --help: change it there. -->

In the checkout the command is \`node bin/engram.mjs\`, or \`npm run -s engram --\`.

\`\`\`text
${overview}
\`\`\`
`]
  for (const name of names) sections.push(await commandSection(name))
  return sections.join('\n')
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const page = await commandLinePage()
  const current = fs.existsSync(pageFile) ? fs.readFileSync(pageFile, 'utf8') : ''
  if (!process.argv.includes('--check')) fs.writeFileSync(pageFile, page)
  else if (current !== page) {
    process.stderr.write('docs/reference/command-line.md is not current: run `npx tsx scripts/docs/command-line.ts`\n')
    process.exitCode = 1
  }
}
