import { Command } from 'commander'
import { EngramError } from '../ir/errors.ts'
import { jsonOption } from './options.ts'
import { exitCodes } from './report-error.ts'

interface CheckOptions {
  readonly json?: boolean
  readonly allowForeignOps?: boolean
}

interface Finding {
  readonly code: string
  readonly line: number | null
  readonly column: number | null
  readonly op: string | null
  readonly rule: string | null
  readonly message: string
}

interface CheckedFile {
  readonly file: string
  readonly ok: boolean
  readonly errors: readonly Finding[]
  /** The errors as they are shown. */
  readonly text: readonly string[]
}

export const command = (): Command =>
  new Command('check')
    .summary('read and verify StableHLO files')
    .description('Parses and verifies StableHLO files and shows every error with its place and the rule that is broken.\nExit code 2 if there is one.')
    .argument('<file...>', 'StableHLO files (.mlir)')
    .option('--allow-foreign-ops', 'accept ops of other dialects, in generic form')
    .addOption(jsonOption())
    .addHelpText('after', '\nExamples:\n  engram check step.mlir\n  engram check *.mlir --json')
    .action(async (files: string[], options: CheckOptions) => {
      const checked: CheckedFile[] = []
      for (const file of files) checked.push(await checkFile(file, options))
      const ok = checked.every((each) => each.ok)
      if (options.json) process.stdout.write(`${JSON.stringify({ ok, files: checked.map(({ text: _, ...rest }) => rest) })}\n`)
      else for (const { file, ok: good, text } of checked) {
        if (good) process.stdout.write(`${file}: ok\n`)
        else process.stderr.write(`${text.join('\n')}\n`)
      }
      if (!ok) process.exitCode = exitCodes.usage
    })

async function checkFile(file: string, { allowForeignOps }: CheckOptions): Promise<CheckedFile> {
  const { readModule } = await import('./read-module.ts')
  const { verifyModule } = await import('../verify/verify.ts')
  let errors: readonly EngramError[]
  try {
    const { module, text } = await readModule(file, { allowForeignOps })
    errors = verifyModule(module, { source: { text, file } })
  } catch (error) {
    if (!(error instanceof EngramError)) throw error
    errors = [error]
  }
  return { file, ok: errors.length === 0, errors: errors.map(finding), text: errors.map(({ message }) => message) }
}

/** The parts that parse and verify errors have. */
function finding(error: EngramError): Finding {
  const { line, column, op, rule, detail } = error as EngramError & { line?: number; column?: number; op?: string; rule?: string; detail?: string }
  return { code: error.code, line: line ?? null, column: column ?? null, op: op ?? null, rule: rule ?? null, message: detail ?? error.message }
}
