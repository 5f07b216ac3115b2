// Holds the documents to the code: what can rot is checked here. Run by `npm run docs:check`.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { schema } from '../packages/stack/src/schema.ts'

const root = resolve(import.meta.dirname, '..')
const read = (file: string): string => readFileSync(join(root, file), 'utf8')
const faults: string[] = []
const fault = (file: string, text: string): void => void faults.push(`${file}: ${text}`)

const walk = (dir: string): readonly string[] =>
  readdirSync(join(root, dir), { withFileTypes: true }).flatMap(entry => {
    const path = join(dir, entry.name)
    if (entry.name === 'node_modules' || entry.name === 'dist' || entry.name === 'var') return []
    return entry.isDirectory() ? walk(path) : [path]
  })
const sources = [...walk('packages'), ...walk('apps')].filter(
  f => /\/src\/.*\.ts$/.test(f) && !/\.test(-d)?\.ts$/.test(f),
)
const documents = [
  'README.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  ...walk('docs'),
  ...walk('packages').filter(f => f.endsWith('README.md')),
].filter(f => f.endsWith('.md') && existsSync(join(root, f)))

/** Every relative link leads to a file. */
const checkLinks = (): void => {
  for (const file of documents)
    for (const [, target] of read(file).matchAll(/\]\((?!https?:|mailto:|#)([^)#\s]+)(?:#[^)]*)?\)/g))
      if (target !== undefined && !existsSync(resolve(root, dirname(file), target)))
        fault(file, `links to ${target}, which is not there`)
}

/** docs/rfc.md has a row for each RFC that the code cites, and each row's files cite it. */
const checkRfcs = (): void => {
  const file = 'docs/rfc.md'
  const cited = new Map<string, Set<string>>()
  for (const source of sources)
    for (const [, number] of read(source).matchAll(/RFC (\d{3,5})/g)) {
      if (number !== undefined) cited.set(number, (cited.get(number) ?? new Set()).add(source))
    }
  const listed = new Set<string>()
  for (const [, number, , state, files] of read(file).matchAll(/^\| (\d{3,5}) \| ([^|]*) \| ([^|]*) \| ([^|]*) \|/gm)) {
    if (number === undefined || files === undefined) continue
    listed.add(number)
    if (!/^(Yes|Partial|No)\b/.test(state ?? '')) fault(file, `RFC ${number}: says neither Yes, Partial nor No`)
    const named = [...files.matchAll(/`([^`]+)`/g)].map(m => m[1] ?? '')
    if (named.length === 0 && !/^No\b/.test(state ?? '')) fault(file, `RFC ${number}: names no file`)
    for (const name of named)
      if (!existsSync(join(root, name))) fault(file, `RFC ${number}: ${name} is not there`)
      else if (!read(name).includes(`RFC ${number}`)) fault(file, `RFC ${number}: ${name} does not cite it`)
  }
  for (const [number, by] of cited)
    if (!listed.has(number)) fault(file, `has no row for RFC ${number}, cited by ${[...by][0]}`)
}

/** docs/hooks.md has a section for each hook, in the order of the hook map. */
const checkHooks = (): void => {
  const map = /export interface HookMap \{([\s\S]*?)\n\}/.exec(read('packages/plugin/src/hooks.ts'))?.[1] ?? ''
  const hooks = [...map.matchAll(/^ {2}(\w+): /gm)].map(m => m[1])
  const described = [...read('docs/hooks.md').matchAll(/^\| `(\w+)` \|/gm)].map(m => m[1])
  if (hooks.join() !== described.join())
    fault('docs/hooks.md', `describes ${described.join(', ')}; the hook map has ${hooks.join(', ')}`)
}

/** docs/events.md has a row for each event that there is, and for no other. */
const checkEvents = (): void => {
  const file = 'docs/events.md'
  const union = /export type EventName =([\s\S]*?)\n\n/.exec(read('packages/contracts/src/journal.ts'))?.[1] ?? ''
  const names = new Set([...union.matchAll(/'([a-z.]+)'/g)].map(m => m[1]))
  const rows = new Set([...read(file).matchAll(/^\| `([a-z.]+)` \|/gm)].map(m => m[1]))
  for (const name of names) if (!rows.has(name)) fault(file, `has no row for the event ${name}`)
  for (const name of rows) if (!names.has(name)) fault(file, `has a row for ${name}, which is no event`)
}

interface SchemaDef {
  readonly type?: string
  readonly innerType?: { readonly def: SchemaDef }
  readonly in?: { readonly def: SchemaDef }
  readonly shape?: Readonly<Record<string, { readonly def: SchemaDef }>>
  readonly defaultValue?: unknown
}

/** Every key of the configuration with its default as JSON; objects that have a shape are walked into. */
const keysOf = (def: SchemaDef, path: string, found: Map<string, string>): void => {
  const inner = def.innerType?.def ?? (def.type === 'pipe' ? def.in?.def : undefined)
  if (def.type === 'default') found.set(path, JSON.stringify(def.defaultValue))
  else if (def.shape !== undefined)
    for (const [key, value] of Object.entries(def.shape)) keysOf(value.def, path === '' ? key : `${path}.${key}`, found)
  else if (inner !== undefined) keysOf(inner, path, found)
  else found.set(path, '')
}

/** docs/configuration.md has a row for each key of the schema, with its default. */
const checkConfiguration = (): void => {
  const file = 'docs/configuration.md'
  const keys = new Map<string, string>()
  keysOf(schema.def, '', keys)
  const rows = new Map(
    [...read(file).matchAll(/^\| `([\w.]+)` \| (?:`([^`]*)`|–) \|/gm)].map(m => [m[1] ?? '', m[2] ?? '']),
  )
  for (const [key, preset] of keys)
    if (!rows.has(key)) fault(file, `has no row for ${key}`)
    else if (rows.get(key) !== preset)
      fault(file, `gives ${key} the default ${rows.get(key)}; it is ${preset === '' ? 'none' : preset}`)
  for (const key of rows.keys()) if (!keys.has(key)) fault(file, `has a row for ${key}, which is no key`)
}

/** Paths of source files named in the documents exist. */
const checkPaths = (): void => {
  for (const file of documents)
    for (const [, path] of read(file).matchAll(/`((?:packages|apps|test|scripts|docs)\/[\w./-]+)`/g))
      if (path !== undefined && !existsSync(join(root, path))) fault(file, `names ${path}, which is not there`)
}

/** The rows that a test's name begins with: `row 3: …`, `rows 1 to 8: …`, or one of a table of rows. */
const rowsOf = (file: string): ReadonlySet<number> => {
  const text = read(file)
  const rows = new Set<number>()
  for (const [, named = ''] of text.matchAll(/\brows? (\d+(?:(?:, | and | to )\d+)*):/g)) {
    const numbers = (named.match(/\d+/g) ?? []).map(Number)
    const [first = 0, last = 0] = numbers
    if (named.includes(' to ')) for (let row = first; row <= last; row += 1) rows.add(row)
    else for (const row of numbers) rows.add(row)
  }
  if (/row (?:%i|\$\{row\})/.test(text)) {
    const table = text.includes('framing-rows') ? read('packages/smtp-listener/test/framing-rows.ts') : text
    for (const [, row] of table.matchAll(/^\s+\[(\d+), /gm)) rows.add(Number(row))
  }
  return rows
}
/** Each test that docs/hostile.md names for a row is there and has that row in its name. */
const checkHostile = (): void => {
  const file = 'docs/hostile.md'
  for (const [, row, tests = ''] of read(file).matchAll(/^\| (\d+) \| [^|]* \| ([^|]*) \|$/gm))
    for (const [, path = ''] of tests.matchAll(/`([^`]+)`/g)) {
      const sessions = /^(.+)\/(row-\d+-)\*\.smtp$/.exec(path)
      const isThere =
        sessions === null
          ? existsSync(join(root, path)) && rowsOf(path).has(Number(row))
          : sessions[2] === `row-${row}-` &&
            readdirSync(join(root, sessions[1] ?? '')).some(name => name.startsWith(`row-${row}-`))
      if (!isThere) fault(file, `names ${path} for row ${row}; there is no such test`)
    }
}

/** README's table names every package with the layer that its manifest gives. */
const checkPackages = (): void => {
  const text = read('README.md')
  for (const dir of readdirSync(join(root, 'packages'))) {
    const manifest = JSON.parse(read(`packages/${dir}/package.json`)) as { name: string; posthorn: { layer: number } }
    if (!text.includes(`| ${manifest.posthorn.layer} | [\`${manifest.name}\`](packages/${dir}) |`))
      fault('README.md', `has no row "| ${manifest.posthorn.layer} | [\`${manifest.name}\`](packages/${dir}) |"`)
    if (!existsSync(join(root, 'packages', dir, 'README.md'))) fault(`packages/${dir}`, 'has no README.md')
  }
}

for (const check of [
  checkLinks,
  checkRfcs,
  checkHooks,
  checkEvents,
  checkConfiguration,
  checkPaths,
  checkPackages,
  checkHostile,
])
  check()
for (const line of faults) console.error(line)
console.log(faults.length === 0 ? `${documents.length} documents agree with the code` : `${faults.length} faults`)
process.exitCode = faults.length === 0 ? 0 : 1
