import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type CommandResult, engram } from '../support/command.ts'

/** Small programs that the tests of the commands for StableHLO files read. */
export const programs: Readonly<Record<string, string>> = {
  'good.mlir': 'func.func @main(%a: tensor<2xf32>) -> tensor<2xf32> {\n  %0 = stablehlo.add %a, %a : tensor<2xf32>\n  return %0 : tensor<2xf32>\n}\n',
  'renamed.mlir': 'func.func @main(%x: tensor<2xf32>) -> tensor<2xf32> {\n\n  %sum = "stablehlo.add"(%x,   %x) : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>\n  return %sum : tensor<2xf32>\n}\n',
  'other.mlir': 'func.func @main(%a: tensor<2xf32>) -> tensor<2xf32> {\n  %0 = stablehlo.multiply %a, %a : tensor<2xf32>\n  return %0 : tensor<2xf32>\n}\n',
  'invalid.mlir': 'func.func @main(%a: tensor<2xf32>) -> tensor<2xf32> {\n  %0 = "stablehlo.slice"(%a) <{start_indices = array<i64: 0>, limit_indices = array<i64: 5>, strides = array<i64: 1>}> : (tensor<2xf32>) -> tensor<2xf32>\n  return %0 : tensor<2xf32>\n}\n',
  'broken.mlir': 'func.func @main(%a: tensor<2xf32) {\n  return\n}\n',
  'unknown.mlir': 'func.func @main() {\n  "tosa.add"() : () -> ()\n  return\n}\n',
}

export interface Folder {
  readonly path: string
  run(...args: string[]): Promise<CommandResult>
  write(name: string, text: string): Promise<void>
  remove(): Promise<void>
}

/** A folder with `programs` in it. */
export async function programFolder(files: Readonly<Record<string, string>> = programs): Promise<Folder> {
  const path = await mkdtemp(join(tmpdir(), 'engram-stablehlo-'))
  const write = (name: string, text: string): Promise<void> => writeFile(join(path, name), text)
  for (const [name, text] of Object.entries(files)) await write(name, text)
  return { path, write, run: (...args) => engram(args, { cwd: path }), remove: () => rm(path, { recursive: true, force: true }) }
}
