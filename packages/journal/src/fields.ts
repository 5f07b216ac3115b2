import type { Json } from '@posthorn/contracts'

export type Fields = { readonly [k: string]: Json | undefined }

/** Names under which a careless caller might hand us a secret. */
const SECRET = new Set([
  'password',
  'passwd',
  'pass',
  'secret',
  'token',
  'authorization',
  'credentials',
  'keypem',
  'key_pem',
])
const HIDDEN = '[hidden]'

/** Names that were found harmless: those that events have are few, and what nested values bring is not let in without end. */
const harmless = new Set<string>()
const mostHarmless = 1000

const isSecret = (name: string): boolean => {
  if (harmless.has(name)) return false
  const secret = SECRET.has(name.toLowerCase())
  if (!secret && harmless.size < mostHarmless) harmless.add(name)
  return secret
}

const withoutSecrets = (value: Json, depth: number): Json => {
  if (typeof value !== 'object' || value === null) return value
  if (depth > 8) return '[deep]'
  if (Array.isArray(value)) return value.map((item: Json) => withoutSecrets(item, depth + 1))
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [name, isSecret(name) ? HIDDEN : withoutSecrets(item, depth + 1)]),
  )
}

/** The fields that may be written: without the absent ones, secrets hidden at any depth. `into` receives them. */
export const addFields = (into: Record<string, Json>, fields: Fields): Record<string, Json> => {
  for (const name in fields) {
    const value = fields[name]
    if (value === undefined) continue
    if (isSecret(name)) into[name] = HIDDEN
    else into[name] = typeof value === 'object' ? withoutSecrets(value, 0) : value
  }
  return into
}

/** Whether the fields may be written as they are: nothing in them is secret, or so deep that it would have to be looked for. */
export const isPlain = (fields: Fields): boolean => {
  for (const name in fields) {
    const value = fields[name]
    if (isSecret(name) || (typeof value === 'object' && value !== null)) return false
  }
  return true
}
