// Imports point downward only: each package.json carries `"posthorn": { "layer": n }`, and this fails on whatever breaks it.
import { existsSync, globSync, readFileSync } from 'node:fs'
import { builtinModules } from 'node:module'
import { dirname, join, relative, resolve, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { importsOf } from './imports.ts'

/** One breach: where, which rule, and what was found. */
export interface Problem {
  readonly file: string
  readonly line: number
  readonly rule: Rule
  readonly what: string
}
export type Rule = keyof typeof rules

/** The rules by name, as they are explained to whoever broke one. */
export const rules = {
  'no-layer': 'every package.json states its layer as `"posthorn": { "layer": n }`',
  'downward-only': 'a package imports and depends on packages of strictly lower layers only',
  undeclared: 'an imported workspace package is in `dependencies` (tests: or in `devDependencies`)',
  'deep-import': 'a package is entered by its door, never by a path into it',
  'pure-layers': 'below layer 3.5 there is no Node: no built-in module, no import that cannot be read from the source',
  'plugins-stand-on-layer-3': 'a plugin imports layers 0 to 3 and libraries, never a component',
} as const

interface Manifest {
  readonly name: string
  readonly posthorn?: { readonly layer?: unknown }
  readonly exports?: unknown
  readonly dependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
}
interface Package {
  readonly name: string
  readonly layer: number
  readonly directory: string
  readonly manifest: Manifest
  readonly dependencies: ReadonlySet<string>
  readonly devDependencies: ReadonlySet<string>
}

/** Where Node begins: `@posthorn/system`. */
const firstLayerWithNode = 3.5
const lastLayerForPlugins = 3
const builtins = new Set(builtinModules)

const isTest = (file: string): boolean => /\.test(-d)?\.[cm]?[jt]sx?$/.test(file) || file.startsWith('test/')
const isPlugin = (name: string): boolean => name.startsWith('@posthorn/plugin-')

const readPackage = (root: string, file: string): Package | Problem => {
  const manifest = JSON.parse(readFileSync(join(root, file), 'utf8')) as Manifest
  const layer = manifest.posthorn?.layer
  if (typeof layer !== 'number')
    return { file, line: 1, rule: 'no-layer', what: `${manifest.name} has no posthorn.layer` }
  const dependencies = new Set(Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies }))
  const devDependencies = new Set(Object.keys(manifest.devDependencies ?? {}))
  return { name: manifest.name, layer, directory: dirname(file), manifest, dependencies, devDependencies }
}

/** `@scope/name/sub` → `@scope/name` and `./sub`. */
const split = (specifier: string): { name: string; sub: string } => {
  const parts = specifier.split('/')
  const name = parts.splice(0, specifier.startsWith('@') ? 2 : 1).join('/')
  return { name, sub: ['.', ...parts].join('/') }
}

const isExported = (manifest: Manifest, sub: string): boolean =>
  sub === '.' || (typeof manifest.exports === 'object' && manifest.exports !== null && sub in manifest.exports)

/** Whether `from` may use `to` at all, wherever that is written. */
const against = (from: Package, to: Package): { rule: Rule; what: string } | undefined => {
  const what = `${to.name} (layer ${to.layer}) from ${from.name} (layer ${from.layer})`
  if (to.layer >= from.layer) return { rule: 'downward-only', what }
  if (isPlugin(from.name) && to.layer > lastLayerForPlugins) return { rule: 'plugins-stand-on-layer-3', what }
  return undefined
}

const checkManifest = (root: string, from: Package, byName: ReadonlyMap<string, Package>): Problem[] => {
  const file = join(from.directory, 'package.json')
  const lines = readFileSync(join(root, file), 'utf8').split('\n')
  const lineOf = (name: string): number => lines.findIndex(line => line.includes(`"${name}":`)) + 1
  return [...from.dependencies, ...from.devDependencies].flatMap(name => {
    const to = byName.get(name)
    // Test tools are no component: a plugin's tests may use the testkit.
    const problem = to && against(from, to)
    if (problem === undefined || (problem.rule !== 'downward-only' && !from.dependencies.has(name))) return []
    return [{ file, line: lineOf(name), ...problem, what: `depends on ${problem.what}` }]
  })
}

const checkImport = (
  from: Package,
  specifier: string | undefined,
  file: string,
  byName: ReadonlyMap<string, Package>,
): { rule: Rule; what: string } | undefined => {
  const inPackage = relative(from.directory, file).split(sep).join('/')
  const pure = from.layer < firstLayerWithNode && !isTest(inPackage)
  if (specifier === undefined) return pure ? { rule: 'pure-layers', what: 'import() of a computed name' } : undefined
  if (specifier.startsWith('.')) {
    const target = relative(from.directory, resolve('/', dirname(file), specifier).slice(1))
    return target.startsWith('..') ? { rule: 'deep-import', what: `${specifier} leaves ${from.directory}` } : undefined
  }
  const { name, sub } = split(specifier)
  const to = byName.get(name)
  if (to === undefined) {
    const builtin = specifier.startsWith('node:') || (builtins.has(name) && !from.dependencies.has(name))
    return builtin && pure ? { rule: 'pure-layers', what: `imports ${specifier} at layer ${from.layer}` } : undefined
  }
  if (!isExported(to.manifest, sub)) return { rule: 'deep-import', what: `imports ${specifier}` }
  // A README example or a test may enter its own package by the front door.
  if (to === from && isTest(inPackage)) return undefined
  const problem = against(from, to)
  if (problem !== undefined && (problem.rule === 'downward-only' || !isTest(inPackage)))
    return { rule: problem.rule, what: `imports ${problem.what}` }
  const declared = from.dependencies.has(name) || (isTest(inPackage) && from.devDependencies.has(name))
  return declared ? undefined : { rule: 'undeclared', what: `imports ${name}` }
}

const checkSources = (root: string, from: Package, byName: ReadonlyMap<string, Package>): Problem[] => {
  const files = globSync(`${from.directory}/{src,bin,test}/**/*.{ts,mts,tsx,js,mjs}`, { cwd: root })
  return files.sort().flatMap(file =>
    importsOf(readFileSync(join(root, file), 'utf8')).flatMap(({ specifier, line }) => {
      const problem = checkImport(from, specifier, file, byName)
      return problem === undefined ? [] : [{ file, line, ...problem }]
    }),
  )
}

/** Every breach of the layers in the monorepo at `root`, by file and line. */
export const checkLayers = (root: string): Problem[] => {
  const read = globSync('{packages,apps}/*/package.json', { cwd: root })
    .sort()
    .map(file => readPackage(root, file))
  const packages = read.filter(p => 'layer' in p)
  const byName = new Map(packages.map(p => [p.name, p]))
  return [
    ...read.filter(p => 'rule' in p),
    ...packages.flatMap(p => [...checkManifest(root, p, byName), ...checkSources(root, p, byName)]),
  ]
}

/** One line for each breach, then the rules that were broken. */
export const report = (problems: readonly Problem[]): string => {
  const broken = [...new Set(problems.map(p => p.rule))]
  return [
    ...problems.map(p => `${p.file}:${p.line}: ${p.what} [${p.rule}]`),
    '',
    ...broken.map(rule => `${rule}: ${rules[rule]}`),
  ].join('\n')
}

if (process.argv[1] !== undefined && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')
  if (!existsSync(join(root, 'packages'))) throw new Error(`no packages/ in ${root}`)
  const problems = checkLayers(root)
  if (problems.length > 0) {
    console.error(report(problems))
    process.exitCode = 1
  } else console.log('layers: every import points downward')
}
