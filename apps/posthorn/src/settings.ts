import { statSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { checkConfig, ConfigError, type Config } from '@posthorn/stack'
import { developmentConfig } from './development.ts'
import { Failure } from './failure.ts'

/** What a run goes by. */
export interface Settings {
  readonly config: Config
  readonly state: string
  /** No configuration file was given. */
  readonly development: boolean
}

// A configuration may live anywhere; the packages it imports are those of this program.
registerHooks({
  resolve(specifier, context, next) {
    if (!specifier.startsWith('@posthorn/')) return next(specifier, context)
    try {
      return next(specifier, context)
    } catch {
      return next(specifier, { ...context, parentURL: import.meta.url })
    }
  },
})

/** The line of the file that an error of it is about, where that is known. */
const lineIn = (path: string, error: unknown): string => {
  const stack = error instanceof Error ? (error.stack ?? '') : ''
  const place = stack.split(pathToFileURL(path).href)[1] ?? stack.split(path)[1]
  const [, line] = /^:(\d+)/.exec(place ?? '') ?? []
  return line === undefined ? '' : `, line ${line}`
}

/** Load and check a configuration file. Throws Failure with everything that is wrong with it. */
const loadConfig = async (file: string): Promise<Config> => {
  const path = resolve(file)
  const isFile = statSync(path, { throwIfNoEntry: false })?.isFile()
  if (isFile === undefined) throw new Failure(`there is no configuration file ${path}`)
  if (!isFile || !/\.[cm]?[jt]s$/.test(path))
    throw new Failure(
      `${path} is no configuration file: those are modules, with a name that ends in .ts, .mts, .js or .mjs`,
    )
  let module: { readonly default?: unknown }
  try {
    module = (await import(pathToFileURL(path).href)) as { readonly default?: unknown }
  } catch (error) {
    throw new Failure(
      `${path} can't be loaded${lineIn(path, error)}: ${error instanceof Error ? error.message : String(error)}`,
    )
  }
  if (module.default === undefined)
    throw new Failure(`${path} has no default export; it should say: export default defineConfig({ … })`)
  try {
    return checkConfig(module.default)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    throw new Failure(`${path} is refused:\n${error.problems.map(p => `  ${p.path}: ${p.message}`).join('\n')}`)
  }
}

/** The settings that the options name: a file, or development mode. */
export const loadSettings = async (o: {
  readonly config?: string
  readonly state?: string
  readonly send?: boolean
  readonly anyPort?: boolean
  readonly workers?: number
}): Promise<Settings> => {
  const development = o.config === undefined
  const written = o.config === undefined ? checkConfig(developmentConfig(o)) : await loadConfig(o.config)
  const config = o.workers === undefined ? written : { ...written, workers: o.workers }
  return { config, development, state: resolve(o.state ?? config.state) }
}
