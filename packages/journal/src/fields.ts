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

const withoutSecrets = (value: Json, depth: number): Json => {
  if (typeof value !== 'object' || value === null) return value
  if (depth > 8) return '[deep]'
  if (Array.isArray(value)) return value.map((item: Json) => withoutSecrets(item, depth + 1))
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [
      name,
      SECRET.has(name.toLowerCase()) ? HIDDEN : withoutSecrets(item, depth + 1),
    ]),
  )
}

/** The fields that may be written: without the absent ones, secrets hidden at any depth. `into` receives them. */
export const addFields = (into: Record<string, Json>, fields: Fields): Record<string, Json> => {
  for (const name in fields) {
    const value = fields[name]
    if (value === undefined) continue
    if (SECRET.has(name.toLowerCase())) into[name] = HIDDEN
    else into[name] = typeof value === 'object' ? withoutSecrets(value, 0) : value
  }
  return into
}
