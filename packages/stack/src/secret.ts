import { readFileSync } from 'node:fs'
import { ConfigError } from './config.ts'

/** A secret from a file or the environment, without the newline that editors add. Throws ConfigError naming the key. */
export const readSecret = (path: string, source: { readonly file: string } | { readonly env: string }): string => {
  const found = 'file' in source ? fromFile(path, source.file) : process.env[source.env]
  if (found === undefined || found === '')
    throw new ConfigError([
      { path, message: 'file' in source ? `${source.file} is empty` : `the environment has no ${source.env}` },
    ])
  return found
}

const fromFile = (path: string, file: string): string => {
  try {
    return readFileSync(file, 'utf8').replace(/\r?\n$/, '')
  } catch (error) {
    throw new ConfigError([
      { path, message: `${file} can't be read: ${error instanceof Error ? error.message : String(error)}` },
    ])
  }
}
