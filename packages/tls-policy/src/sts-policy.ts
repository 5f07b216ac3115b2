import type { Json } from '@posthorn/contracts'

/** What a domain says about TLS towards its exchangers (RFC 8461 §3.2). */
export interface StsPolicy {
  readonly mode: 'enforce' | 'testing' | 'none'
  /** Lower case; `*.example.org` stands for one label. */
  readonly mx: readonly string[]
  /** In seconds. */
  readonly maxAge: number
}

const LONGEST_AGE = 31_557_600
/** More lines than a policy of 64 KiB can have to any purpose. */
const MOST_PATTERNS = 1_000

const label = '[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?'
const pattern = new RegExp(`^(?:\\*\\.)?(?:${label}\\.)+${label}$`)

/**
 * Read the id of the TXT records at `_mta-sts` (RFC 8461 §3.1). Undefined: the domain has no policy, or says so in a way that nobody may
 * believe, as with two records.
 */
export const stsId = (records: readonly string[]): string | undefined => {
  const ours = records.filter(text => /^v=STSv1[\t ]*;/.test(text))
  if (ours.length !== 1) return undefined
  const ids = (ours[0] ?? '').split(';').flatMap(field => /^[\t ]*id=([A-Za-z0-9]{1,32})[\t ]*$/.exec(field)?.[1] ?? [])
  return ids[0]
}

/** Read a policy file (RFC 8461 §3.2). Answers in words why it is none. */
export const parseStsPolicy = (text: string): StsPolicy | string => {
  const fields = new Map<string, string>()
  const mx: string[] = []
  for (const line of text.split(/\r?\n/)) {
    if (line.trim() === '') continue
    const [, key = '', value = ''] = /^([A-Za-z0-9][\w.-]{0,31})[\t ]*:[\t ]*(.*?)[\t ]*$/.exec(line) ?? []
    if (key === '') return 'a line of it is no field'
    // Of a field that stands there twice the first counts, but for mx.
    if (key === 'mx') mx.push(value.toLowerCase())
    else if (!fields.has(key)) fields.set(key, value)
  }
  if (fields.get('version') !== 'STSv1') return 'its version is not STSv1'
  const mode = fields.get('mode')
  if (mode !== 'enforce' && mode !== 'testing' && mode !== 'none') return 'its mode is none of enforce, testing, none'
  const age = fields.get('max_age') ?? ''
  if (!/^\d{1,10}$/.test(age) || Number(age) > LONGEST_AGE) return 'its max_age is not a number up to 31557600'
  if (mx.length > MOST_PATTERNS) return 'it names too many hosts'
  if (mx.some(host => !pattern.test(host))) return 'one of its mx is no host and no pattern such as *.example.org'
  if (mx.length === 0 && mode !== 'none') return 'it names no mx'
  return { mode, mx, maxAge: Number(age) }
}

/** Whether a policy names this exchanger (RFC 8461 §4.1); a star stands for exactly the first label. */
export const namesHost = ({ mx }: StsPolicy, host: string): boolean => {
  const name = host.toLowerCase().replace(/\.$/, '')
  return mx.some(one => one === name || (one.startsWith('*.') && name.slice(name.indexOf('.')) === one.slice(1)))
}

/** A policy as it is remembered, with when and under which id it was fetched. */
export interface KnownPolicy {
  readonly policy: StsPolicy
  readonly id: string
  /** Wall time in ms. */
  readonly fetched: number
}

export const storedPolicy = ({ policy, id, fetched }: KnownPolicy): Json => ({
  mode: policy.mode,
  mx: policy.mx,
  maxAge: policy.maxAge,
  id,
  fetched,
})
/** What `storedPolicy` made; undefined when it is anything else. */
export const restoredPolicy = (value: Json | undefined): KnownPolicy | undefined => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  const { mode, mx, maxAge, id, fetched } = value as { readonly [k: string]: Json }
  const known = mode === 'enforce' || mode === 'testing' || mode === 'none'
  if (!known || typeof maxAge !== 'number' || typeof id !== 'string' || typeof fetched !== 'number') return undefined
  if (!Array.isArray(mx) || !mx.every(host => typeof host === 'string')) return undefined
  return { policy: { mode, mx, maxAge }, id, fetched }
}
