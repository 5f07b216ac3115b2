import { readFileSync } from 'node:fs'
import { bounceRules, classify, createClassifier, readRules, type Classifier } from '@posthorn/dsn'
import { ConfigError } from './config.ts'
import type { Config } from './schema.ts'

/** The line in which each element of a JSON text's outermost list begins. */
const linesOf = (json: string): readonly number[] => {
  const lines: number[] = []
  let line = 1
  let depth = 0
  let isFresh = false
  for (const [token] of json.matchAll(/"(?:[^"\\]|\\.)*"|[[\]{},\n]|[^\s[\]{},"]+/g)) {
    if (token === '\n') {
      line += 1
      continue
    }
    const closes = token === ']' || token === '}'
    if (depth === 1 && isFresh && !closes) lines.push(line)
    isFresh = (depth === 1 && token === ',') || (depth === 0 && token === '[')
    if (token === '[' || token === '{') depth += 1
    if (closes) depth -= 1
  }
  return lines
}

const refuse = (message: string): never => {
  throw new ConfigError([{ path: 'bounces.rules', message }])
}

const textOf = (file: string): string => {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    return refuse(`${file} can't be read: ${error instanceof Error ? error.message : String(error)}`)
  }
}

const parsed = (file: string, text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch (error) {
    return refuse(`${file} is not JSON: ${error instanceof Error ? error.message : String(error)}`)
  }
}

/**
 * What names the reason why mail is not taken: the operator's rules, then ours. Throws ConfigError that says of each rule which is wrong where
 * it stands, what is wrong with it and what is allowed.
 */
export const bounceClassifier = ({ bounces: { rules: given } }: Config): Classifier => {
  if (Array.isArray(given) && given.length === 0) return classify
  const file = typeof given === 'string' ? given : undefined
  const text = file === undefined ? undefined : textOf(file)
  const read = readRules(file === undefined || text === undefined ? given : parsed(file, text))
  if (read.ok) return createClassifier([...read.rules, ...bounceRules])
  const lines = text === undefined ? [] : linesOf(text)
  throw new ConfigError(
    read.problems.map(({ index, path, message }) => {
      if (file === undefined) return { path: `bounces.rules${path}`, message }
      const line = index === undefined ? '' : `:${lines[index] ?? 1}`
      return { path: 'bounces.rules', message: `${file}${line}: ${path === '' ? 'it' : path} ${message}` }
    }),
  )
}
