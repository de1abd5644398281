#!/usr/bin/env node
// The `engram` command. In a checkout it runs the TypeScript source as it is; in an installed package the built files.
// Either way tsx is in place, so that a model may be a TypeScript file of the user's, and that file's `import 'engram'`
// gives the very library that the command runs: two copies would not know each other's tensors.
import { existsSync } from 'node:fs'
import { register } from 'node:module'

const { SetupError, checkNode } = await import('../scripts/setup/root.mjs')
const source = new URL('../src/cli/main.ts', import.meta.url)
const built = new URL('../dist/cli/main.js', import.meta.url)
const isCheckout = existsSync(source)

try {
  checkNode()
  let tsx
  try {
    tsx = await import('tsx/esm/api')
  } catch (error) {
    if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error
    throw new SetupError('the npm packages are not installed', [
      isCheckout ? 'Run `npm run setup` in the checkout first.' : 'Install the package again: `npm install engram`.',
    ])
  }
  if (!isCheckout && !existsSync(built)) throw new SetupError('this copy of engram is not complete: dist/cli/main.js is missing', ['Install the package again.'])
  const folder = new URL(isCheckout ? '../src/' : '../dist/', import.meta.url).href
  register('./module-hooks.mjs', { parentURL: import.meta.url, data: { folder, extension: isCheckout ? '.ts' : '.js' } })
  tsx.register()
} catch (error) {
  if (!(error instanceof SetupError)) throw error
  process.stderr.write(`${error.toLines().join('\n').replace(/^set-up failed: /, 'engram: ')}\n`)
  process.exit(1)
}

await import(isCheckout ? source.href : built.href)
