import path from 'node:path'
import type { CellResult } from './cell.ts'
import { type Arm, type Experiment, type Row, rowKey } from './experiment.ts'
import { type Plan, corpora } from './plan.ts'
import { plotSvg } from './plot.ts'
import type { Spread } from './statistics.ts'
import { writeText } from './write-text.ts'

export interface Results {
  readonly experiment: Experiment
  readonly plan: Plan
  readonly arms: readonly Arm[]
  readonly results: readonly { readonly name: string; readonly results: readonly CellResult[] }[]
  readonly rows: readonly Row[]
  readonly command: string
}

/** Writes `PATH.json`, `PATH.svg` and `PATH.md`; answers their names. */
export async function writeResults(base: string, all: Results): Promise<string[]> {
  const name = path.basename(base)
  await writeText(`${base}.json`, `${JSON.stringify(record(all), null, 1)}\n`)
  await writeText(`${base}.svg`, plotSvg(all.experiment.plot(all.rows, all.plan)))
  await writeText(`${base}.md`, page(name, all))
  return ['json', 'svg', 'md'].map((ending) => `${base}.${ending}`)
}

/** Everything that a reader needs to make it again, and every value by seed. No paths: they are those of the machine. */
function record({ experiment, plan: { shards: _, ...plan }, arms, results, rows, command }: Results): unknown {
  return {
    title: experiment.title,
    question: experiment.question,
    command,
    plan,
    base: experiment.base,
    rows: rows.map((row) => ({ ...row, bitsPerByte: rounded(row.bitsPerByte), accuracy: rounded(row.accuracy), gain: rounded(row.gain) })),
    arms: arms.map(({ name, cells }, i) => {
      const { run, from, ...cell } = cells[0]
      return {
        name,
        model: cell.model,
        set: cell.set,
        run: { ...run, seed: undefined, dataSeed: undefined, data: { ...run.data, corpus: plan.corpus } },
        ...(from ? { from: { model: from.cell.model, steps: from.step ?? from.cell.run.steps } } : {}),
        seeds: results[i].results.map(({ folder: _folder, ...result }, seed) => ({ seed: cells[seed].run.seed, ...result })),
      }
    }),
  }
}

const digits = (value: number): number => Number(value.toPrecision(6))
const rounded = ({ values, mean, deviation }: Spread): Spread => ({ values: values.map(digits), mean: digits(mean), deviation: digits(deviation) })

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`
const withSpread = ({ mean, deviation, values }: Spread, format: (value: number) => string): string => (values.length > 1 ? `${format(mean)} ± ${format(deviation)}` : format(mean))

function page(name: string, { experiment, plan, rows, command }: Results): string {
  const lines = rows.map((row) => {
    const gain = rowKey(row) === experiment.base ? '' : withSpread(row.gain, percent)
    return `| ${rowKey(row)} | ${(row.parameters / 1e6).toFixed(2)} M | ${row.steps} | ${withSpread(row.bitsPerByte, (value) => value.toFixed(4))} | ${gain} |`
  })
  return `# ${experiment.title}

${experiment.question}

${corpora[plan.corpus].title}, ${plan.seeds.length === 1 ? `seed ${plan.seeds[0]}` : `seeds ${plan.seeds.join(', ')}`}, test documents. Mean over seeds and standard deviation; the gain is the share
of bits per byte saved against "${experiment.base}", seed by seed. Every value and setting is in [${name}.json](${name}.json).

\`\`\`sh
${command}
\`\`\`

| | parameters | steps | bits per byte | gain |
| --- | --- | --- | --- | --- |
${lines.join('\n')}

![${experiment.title}](${name}.svg)
`
}
