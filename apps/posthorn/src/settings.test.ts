import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { loadSettings } from './settings.ts'

const directory = mkdtempSync(join(tmpdir(), 'posthorn-settings-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const refusal = async (name: string, text?: string): Promise<string> => {
  const config = join(directory, name)
  if (text !== undefined) writeFileSync(config, text)
  try {
    await loadSettings({ config })
  } catch (error) {
    return String(error).replaceAll(directory, 'DIR')
  }
  return 'none'
}

test.each([
  ['none.config.ts', undefined, 'Failure: there is no configuration file DIR/none.config.ts'],
  ['', undefined, 'Failure: DIR is no configuration file: those are modules, with a name that ends in .ts,'],
  [
    'posthorn.yaml',
    'hostname: mx.example.org',
    'Failure: DIR/posthorn.yaml is no configuration file: those are modules',
  ],
  ['posthorn.json', '{}', 'Failure: DIR/posthorn.json is no configuration file: those are modules'],
  [
    'throws.mjs',
    '\nthrow new Error("no such list")\n',
    "Failure: DIR/throws.mjs can't be loaded, line 2: no such list",
  ],
  ['broken.mjs', 'export default {\n  hostname = 1\n}\n', "Failure: DIR/broken.mjs can't be loaded"],
  [
    'nothing.mjs',
    'export const x = 1\n',
    'Failure: DIR/nothing.mjs has no default export; it should say: export default',
  ],
  ['wrong.mjs', 'export default { hostname: 1 }\n', 'Failure: DIR/wrong.mjs is refused:\n  hostname: '],
])('a configuration %j is refused with what is wrong', async (name, text, says) => {
  expect(await refusal(name, text)).toContain(says)
})
