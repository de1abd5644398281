import { existsSync } from 'node:fs'
import { Command } from 'commander'
import { jsonOption } from './options.ts'
import { exitCodes } from './report-error.ts'

interface Finding {
  readonly name: string
  readonly found: string | null
  readonly expected: string | null
  readonly required: boolean
  readonly ok: boolean
  /** What to do; absent if all is well. */
  readonly fix?: string
}

export const command = (): Command =>
  new Command('doctor')
    .summary('what is installed, what is missing, how to get it')
    .description('Looks at Node, Python and the packages that Engram needs, and says what is missing and how to get it.\nExit code 1 if something required is missing.')
    .addOption(jsonOption())
    .option('--python <command>', 'the Python to look at, instead of the one that Engram would use')
    .addHelpText('after', '\nExamples:\n  engram doctor\n  engram doctor --json')
    .action(async (options: { json?: boolean; python?: string }) => {
      const findings = await examine(options.python)
      const ok = findings.every((finding) => finding.ok || !finding.required)
      process.stdout.write(options.json ? `${JSON.stringify({ ok, findings })}\n` : toText(findings, ok))
      if (!ok) process.exitCode = exitCodes.failed
    })

/** Everything that is looked at, in order of need. */
async function examine(python?: string): Promise<Finding[]> {
  const { libtpuProblems, pinnedPackages, probePython } = await import('../runner/python.ts')
  const { startRunner } = await import('../runner/start.ts')
  const findings: Finding[] = []
  const [major, minor] = process.versions.node.split('.').map(Number)
  const nodeOk = major > 20 || (major === 20 && minor >= 19)
  findings.push({ name: 'node', found: process.versions.node, expected: '20.19 or newer', required: true, ok: nodeOk, fix: nodeOk ? undefined : 'install Node 20.19 or newer' })
  const probe = await probePython(python)
  const fixFor = (code: string) => probe.problems.find((problem) => problem.code === code)?.fix
  const oldOrMissing = fixFor('PYTHON_NOT_FOUND') ?? fixFor('PYTHON_VERSION')
  findings.push({ name: 'python', found: probe.version ?? null, expected: '3.11 or newer', required: true, ok: oldOrMissing === undefined, fix: oldOrMissing })
  for (const [name, { expected, found }] of Object.entries(probe.packages)) {
    const ok = found === expected
    findings.push({ name, found: found ?? null, expected, required: true, ok, fix: ok ? undefined : fixFor('PYTHON_PACKAGES') ?? oldOrMissing ?? 'run `npm run setup`' })
  }
  const [libtpu] = probe.libtpu === undefined && oldOrMissing ? [] : libtpuProblems(probe.libtpu, probe.source)
  findings.push({ name: 'libtpu', found: probe.libtpu ?? null, expected: pinnedPackages('requirements-tpu.txt').libtpu, required: false, ok: libtpu === undefined, fix: libtpu && `to compile for TPUs: ${libtpu.fix}` })
  findings.push(await runnerFinding(probe.ok, () => startRunner({ python })))
  const tpu = existsSync('/dev/accel0') || existsSync('/dev/vfio/0')
  findings.push({ name: 'tpu', found: tpu ? 'a device' : null, expected: null, required: false, ok: true })
  return findings
}

async function runnerFinding(ready: boolean, start: () => Promise<{ devices: readonly { kind: string }[]; close(): Promise<void> }>): Promise<Finding> {
  const base = { name: 'runner (cpu)', expected: 'starts', required: true }
  if (!ready) return { ...base, found: null, ok: false, fix: 'mend what is above' }
  try {
    const runner = await start()
    const found = `${runner.devices.length} ${runner.devices[0]?.kind ?? ''} device${runner.devices.length === 1 ? '' : 's'}`
    await runner.close()
    return { ...base, found, ok: true }
  } catch (error) {
    return { ...base, found: null, ok: false, fix: (error as Error).message }
  }
}

function toText(findings: readonly Finding[], ok: boolean): string {
  const width = Math.max(...findings.map(({ name }) => name.length))
  const lines = findings.map(({ name, found, expected, required, ok: good, fix }) => {
    const mark = good ? (found === null ? '-' : 'ok') : required ? 'MISSING' : '-'
    const wanted = expected !== null && found !== expected ? ` (${expected})` : ''
    return `${mark.padEnd(8)}${name.padEnd(width + 2)}${found ?? 'not found'}${wanted}${fix ? `\n${' '.repeat(8)}${fix}` : ''}`
  })
  return `${lines.join('\n')}\n\n${ok ? 'Everything that Engram needs is here.' : 'Something that Engram needs is missing; see above. `--backend interpreter` works without Python.'}\n`
}
