/**
 * Generates what both sides of the runner protocol need from `proto/`: TypeScript for the client and, for the Python side, a
 * descriptor set from which it builds its message classes. Both are committed. `--check` writes nothing and fails when what
 * is committed is not what would be generated.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const protoFolder = join(root, 'proto')
const typescriptFolder = join(root, 'src/runner/gen')
const descriptorFile = join(root, 'scripts/runner/engram_runner/runner.binpb')
const protoFile = join(protoFolder, 'engram/v1/runner.proto')

/** Generated content by the path it belongs at. */
function generate(): Map<string, Buffer> {
  const folder = mkdtempSync(join(tmpdir(), 'engram-protobuf-'))
  try {
    const bin = (name: string) => join(root, 'node_modules/.bin', name)
    const descriptor = join(folder, 'runner.binpb')
    execFileSync(
      bin('protoc'),
      [
        `--proto_path=${protoFolder}`,
        `--plugin=protoc-gen-es=${bin('protoc-gen-es')}`,
        `--es_out=${folder}`,
        '--es_opt=target=ts,import_extension=ts',
        `--descriptor_set_out=${descriptor}`,
        '--include_imports',
        protoFile,
      ],
      { stdio: ['ignore', 'inherit', 'inherit'] },
    )
    const files = new Map([[descriptorFile, readFileSync(descriptor)]])
    const generated = join(folder, 'engram/v1')
    for (const name of readdirSync(generated)) files.set(join(typescriptFolder, name), readFileSync(join(generated, name)))
    return files
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function isCurrent(path: string, content: Buffer): boolean {
  try {
    return readFileSync(path).equals(content)
  } catch {
    return false
  }
}

const check = process.argv.includes('--check')
const stale = [...generate()].filter(([path, content]) => !isCurrent(path, content))
for (const [path, content] of stale) {
  if (!check) {
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(`${path}.tmp`, content)
    renameSync(`${path}.tmp`, path)
  }
  console.log(`${check ? 'stale: ' : 'wrote '}${relative(root, path)}`)
}
if (check && stale.length > 0) {
  console.error('proto/ has changed since this was generated; run `npm run generate` and commit the result')
  process.exitCode = 1
}
