import type { BounceRule } from './bounce-rules.ts'
import { safePattern } from './pattern.ts'

/** One thing that is wrong with rules: where, such as `[2].status[0]`, and what is allowed. */
export interface RuleProblem {
  /** Which rule; absent when they are no list. */
  readonly index?: number
  readonly path: string
  readonly message: string
}

const MOST_RULES = 1_000
const PHASES = ['route', 'dns', 'connect', 'banner', 'ehlo', 'tls', 'auth', 'mail', 'rcpt', 'data', 'dot', 'local']

/** What a value must be; says what is wrong with it, if anything is. */
type Check = (value: unknown) => string | undefined

const named: Check = value =>
  typeof value === 'string' && /^[a-z][a-z0-9-]{0,63}$/.test(value)
    ? undefined
    : 'is not a name such as "quota-issues": lower-case letters, digits and dashes, 64 at most'
const pattern: Check = value => {
  if (typeof value !== 'string') return 'is not a string with a pattern'
  const read = safePattern(value)
  return 'problem' in read ? read.problem : undefined
}
const status: Check = value =>
  typeof value === 'string' && /^[245x]\.\d{1,3}(?:\.\d{1,3})?$/.test(value)
    ? undefined
    : 'is not an enhanced code such as "5.1.1", "x.1.1" or "5.7"'
const code: Check = value =>
  typeof value === 'number' && Number.isInteger(value) && value >= 400 && value <= 599
    ? undefined
    : 'is not a reply code from 400 to 599'
const phase: Check = value =>
  typeof value === 'string' && PHASES.includes(value) ? undefined : `is not one of ${PHASES.join(', ')}`
const host: Check = value =>
  typeof value === 'string' && /^[a-z0-9-]+(?:\.[a-z0-9-]+)*$/.test(value)
    ? undefined
    : 'is not a domain in lower case, such as "google.com"'

const KEYS: Readonly<Record<keyof BounceRule, { readonly check: Check; readonly list: boolean }>> = {
  name: { check: named, list: false },
  class: { check: named, list: false },
  text: { check: pattern, list: false },
  status: { check: status, list: true },
  code: { check: code, list: true },
  phase: { check: phase, list: true },
  provider: { check: host, list: true },
}

const isKey = (key: string): key is keyof BounceRule => Object.hasOwn(KEYS, key)
const show = (value: unknown): string => (JSON.stringify(value) ?? typeof value).slice(0, 80)

const problemsOfValue = (
  key: keyof BounceRule,
  value: unknown,
): readonly (readonly [path: string, message: string])[] => {
  const { check, list } = KEYS[key]
  if (list && (!Array.isArray(value) || value.length === 0))
    return [[`.${key}`, `is not a list with something in it; found ${show(value)}`]]
  const values: readonly unknown[] = list ? (value as readonly unknown[]) : [value]
  return values.flatMap((each, i) => {
    const message = check(each)
    return message === undefined
      ? []
      : [[list ? `.${key}[${i}]` : `.${key}`, `${message}; found ${show(each)}`] as const]
  })
}

const problemsOf = (rule: unknown): readonly (readonly [path: string, message: string])[] => {
  if (typeof rule !== 'object' || rule === null || Array.isArray(rule))
    return [['', `is not a rule such as { "name": …, "class": …, "text": … }; found ${show(rule)}`]]
  const unknown = Object.keys(rule).filter(key => !isKey(key))
  const missing = (['name', 'class'] as const).filter(key => !Object.hasOwn(rule, key))
  const conditions = Object.keys(rule).filter(key => isKey(key) && key !== 'name' && key !== 'class')
  return [
    ...unknown.map(key => [`.${key}`, `unknown key; allowed here: ${Object.keys(KEYS).join(', ')}`] as const),
    ...missing.map(key => [`.${key}`, 'is missing'] as const),
    ...(conditions.length === 0 ? [['', 'has no condition, and would fit everything'] as const] : []),
    ...Object.entries(rule).flatMap(([key, value]) => (isKey(key) ? problemsOfValue(key, value) : [])),
  ]
}

/** Rules from outside, or everything that is wrong with them. */
export const readRules = (
  data: unknown,
):
  | { readonly ok: true; readonly rules: readonly BounceRule[] }
  | { readonly ok: false; readonly problems: readonly RuleProblem[] } => {
  if (!Array.isArray(data) || data.length > MOST_RULES)
    return { ok: false, problems: [{ path: '', message: `is not a list of at most ${MOST_RULES} rules` }] }
  const rules: readonly unknown[] = data
  const problems = rules.flatMap((rule, index) =>
    problemsOf(rule).map(([path, message]): RuleProblem => ({ index, path: `[${index}]${path}`, message })),
  )
  const names = rules.map(rule => (typeof rule === 'object' && rule !== null && 'name' in rule ? rule.name : undefined))
  names.forEach((name, index) => {
    if (name !== undefined && names.indexOf(name) !== index)
      problems.push({ index, path: `[${index}].name`, message: `another rule has the name ${show(name)}` })
  })
  return problems.length > 0 ? { ok: false, problems } : { ok: true, rules: rules as readonly BounceRule[] }
}
