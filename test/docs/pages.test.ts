import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { commandLinePage } from '../../scripts/docs/command-line.ts'
import { codeBlocks, examplesOf, pageNames, readPage, root } from './pages.ts'

const pages = pageNames().concat('CONTRIBUTING.md')
const prose = (page: string): string => page.replace(/^```[\s\S]*?^```/gm, '')
const anchors = (page: string): string[] =>
  [...prose(page).matchAll(/^#+ (.*)$/gm)].map(([, title]) => title.toLowerCase().replace(/[^\w -]/g, '').replaceAll(' ', '-'))

/** `page: link` for each link to a file or heading that is not there. */
function deadLinks(name: string): string[] {
  const links = [...prose(readPage(name)).matchAll(/\]\((?!https?:)([^)\s]*)\)/g)].map((match) => match[1])
  return links
    .filter((link) => {
      const [file, anchor] = link.split('#')
      const target = file === '' ? name : path.posix.join(path.posix.dirname(name), file)
      if (!fs.existsSync(path.join(root, target))) return true
      return anchor !== undefined && !anchors(readPage(target)).includes(anchor)
    })
    .map((link) => `${name}: ${link}`)
}

describe('pages of the documentation', () => {
  it('link to what is there', () => {
    expect(pages.flatMap(deadLinks)).toEqual([])
  })

  it('name commands, options and scripts that exist', async () => {
    const reference = readPage('docs/reference/command-line.md')
    const { scripts } = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8')) as { scripts: Record<string, string> }
    const lines = pages.flatMap((name) => codeBlocks(readPage(name)).filter(({ language }) => language === 'sh').flatMap(({ code }) => code.split('\n')))
    const commands = lines.map((line) => line.replace(/\s+#\s.*$/, '').trim()).filter((line) => line !== '')
    const wrong = commands.filter((line) => {
      const engram = /^(?:node bin\/engram\.mjs|npm run -s engram --)\s*(.*)$/.exec(line)
      if (!engram) {
        const script = /^npm (?:run (?:-s )?)?([a-z]+)/.exec(line)
        return script ? !Object.hasOwn(scripts, script[1]) : !/^npx (tsx|vitest) /.test(line)
      }
      const [name = '', ...rest] = engram[1].split(/\s+/)
      const section = name.startsWith('-') ? reference : (reference.split(`## engram ${name}\n`)[1]?.split('\n## ')[0] ?? '')
      return section === '' || rest.some((word) => /^--[a-z]/.test(word) && !section.includes(`${word} `) && !section.includes(`${word}\n`))
    })
    expect(commands.length).toBeGreaterThan(10)
    expect(wrong).toEqual([])
  })

  it('have the commands\' own help', async () => {
    expect(readPage('docs/reference/command-line.md')).toBe(await commandLinePage())
  })
})

describe('examplesOf', () => {
  const fence = '```'
  it('joins blocks, and takes output from comments and from the block behind', () => {
    const page = `${fence}ts test file=a.ts\nconsole.log(1) // 1\n${fence}\ntext\n${fence}ts test more\nconsole.log(2)\n${fence}\n${fence}text output\n2\n${fence}\n${fence}ts\nnot run\n${fence}\n`
    expect(examplesOf('page.md', page)).toEqual([{ name: 'page.md:2', file: 'page-md/a.ts', code: 'console.log(1) // 1\nconsole.log(2)', output: ['1', '2'] }])
  })
  it('refuses a block that is not closed', () => {
    expect(() => codeBlocks(`text\n${fence}ts test\n`)).toThrow('the block that begins at line 2 is not closed')
  })
})
