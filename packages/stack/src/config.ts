import type { z } from 'zod'
import { schema, type Config, type ConfigInput } from './schema.ts'

/** Types a configuration file: `export default defineConfig({ hostname: 'mx.example.org', … })`. Checked when it is loaded. */
export const defineConfig = (config: ConfigInput): ConfigInput => config

/** One thing wrong with a configuration: the path of the key, what was found and what is allowed. */
export interface ConfigProblem {
  readonly path: string
  readonly message: string
}

/** A configuration that was refused. `problems` has every fault, so that one run shows them all. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly problems: readonly ConfigProblem[]
  constructor(problems: readonly ConfigProblem[]) {
    super(problems.map(p => `${p.path}: ${p.message}`).join('\n'))
    this.problems = problems
  }
}

/** Check a configuration and fill in its defaults. Throws ConfigError. */
export const checkConfig = (input: unknown): Config => {
  const result = schema.safeParse(input)
  if (!result.success) throw new ConfigError(result.error.issues.flatMap(issue => explain(issue, input)))
  const problems = contradictions(result.data)
  if (problems.length > 0) throw new ConfigError(problems)
  return result.data
}

const pathText = (path: readonly PropertyKey[]): string =>
  path.length === 0
    ? '(configuration)'
    : path.map((p, i) => (typeof p === 'number' ? `[${p}]` : `${i > 0 ? '.' : ''}${String(p)}`)).join('')

const valueAt = (input: unknown, path: readonly PropertyKey[]): unknown =>
  path.reduce<unknown>(
    (at, key) => (typeof at === 'object' && at !== null ? (at as Record<PropertyKey, unknown>)[key] : undefined),
    input,
  )

const explain = (issue: z.core.$ZodIssue, input: unknown): readonly ConfigProblem[] => {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map(key => ({
      path: pathText([...issue.path, key]),
      message: `unknown key; allowed here: ${allowedKeys(issue.path).join(', ')}`,
    }))
  }
  if (issue.code === 'invalid_key')
    return [{ path: pathText(issue.path), message: `as a key, ${issue.issues.map(e => e.message).join(', ')}` }]
  // Of a union, the branch that got furthest says most.
  if (issue.code === 'invalid_union' && issue.errors.length > 0) {
    const deepest = issue.errors
      .flat()
      .reduce<z.core.$ZodIssue | undefined>(
        (best, e) => (best === undefined || e.path.length > best.path.length ? e : best),
        undefined,
      )
    if (deepest !== undefined && deepest.path.length > 0)
      return explain({ ...deepest, path: [...issue.path, ...deepest.path] }, input)
    const choices = [...new Set(issue.errors.flat().map(e => e.message))].join(', or: ')
    // The schema's own words, where it has some, say more than those of the branches.
    const words = issue.message === 'Invalid input' ? choices : issue.message
    return [{ path: pathText(issue.path), message: `${words}; found ${show(valueAt(input, issue.path))}` }]
  }
  return [{ path: pathText(issue.path), message: `${issue.message}; found ${show(valueAt(input, issue.path))}` }]
}

const show = (value: unknown): string => {
  if (value === undefined) return 'nothing'
  if (typeof value === 'function') return 'a function'
  const text = JSON.stringify(value) ?? typeof value
  return text.length > 80 ? `${text.slice(0, 77)}…` : text
}

/** The keys that the schema knows at a path, found by walking it. */
const allowedKeys = (path: readonly PropertyKey[]): readonly string[] => {
  let at: unknown = schema
  for (const key of path) at = shapeOf(at)?.[String(key)] ?? valueTypeOf(at)
  return Object.keys(shapeOf(at) ?? {})
}
/** What stands under every key of a record. */
const valueTypeOf = (type: unknown): unknown => {
  const def = (type as { def?: { innerType?: unknown; valueType?: unknown } } | undefined)?.def
  return def?.innerType === undefined ? def?.valueType : valueTypeOf(def.innerType)
}
const shapeOf = (type: unknown): Record<string, unknown> | undefined => {
  const def = (
    type as { def?: { innerType?: unknown; shape?: Record<string, unknown>; options?: readonly unknown[] } } | undefined
  )?.def
  if (def?.shape !== undefined) return def.shape
  if (def?.innerType !== undefined) return shapeOf(def.innerType)
  return def?.options?.map(shapeOf).find(s => s !== undefined)
}

const aboutBounces = ({ bounces, queue, retry }: Config): readonly ConfigProblem[] => {
  if (bounces.reversePath === 'plain')
    return bounces.domain === undefined
      ? []
      : [{ path: 'bounces.domain', message: 'is for tagged return paths: say reversePath: "signed" or "verp" too' }]
  const problems: ConfigProblem[] = []
  if (queue !== 'embedded' && bounces.secret === undefined)
    problems.push({ path: 'bounces.secret', message: 'is needed where several nodes share a queue: all need the same' })
  if (bounces.lifetime <= retry.expire)
    problems.push({ path: 'bounces.lifetime', message: 'is not longer than retry.expire, for which mail is tried' })
  return problems
}

/** What each key allows on its own, but not together. */
const contradictions = (c: Config): readonly ConfigProblem[] => {
  const problems: ConfigProblem[] = []
  const wrong = (path: string, message: string): void => void problems.push({ path, message })
  if (typeof c.outbound === 'object') {
    const { user, password, auth, tls, certificate } = c.outbound.smarthost
    const tokens = typeof auth === 'object'
    const external = auth === 'external'
    if (tokens && password !== undefined) wrong('outbound.smarthost', 'password and auth.oauth2 exclude each other')
    else if (tokens && user === undefined) wrong('outbound.smarthost.user', 'is needed with auth.oauth2')
    else if (external && password !== undefined)
      wrong('outbound.smarthost', 'password and auth: "external" exclude each other')
    else if (external && certificate === undefined)
      wrong('outbound.smarthost.certificate', 'is needed with auth: "external": the certificate says who we are')
    else if (!tokens && !external && (user === undefined) !== (password === undefined))
      wrong('outbound.smarthost', 'user and password go together')
    if (certificate !== undefined && tls === 'never')
      wrong('outbound.smarthost.tls', 'the certificate is shown under TLS only: anything but "never"')
    else if ((user !== undefined || external) && tls !== undefined && tls !== 'verify')
      wrong(
        'outbound.smarthost.tls',
        `credentials are sent over a verified connection only: "verify" or nothing; found "${tls}"`,
      )
  }
  const { proxy } = c.egress
  if (
    proxy !== undefined &&
    'socks5' in proxy &&
    (proxy.socks5.user === undefined) !== (proxy.socks5.password === undefined)
  )
    wrong('egress.proxy.socks5', 'user and password go together')
  for (const alias of Object.keys(c.aliases)) {
    const at = alias.lastIndexOf('@')
    if (at >= 0 && !c.domains.some(d => d === alias.slice(at + 1).toLowerCase()))
      wrong(`aliases.${alias}`, `its domain is not one of ours; domains: ${c.domains.join(', ') || 'none'}`)
  }
  if (c.timeouts.stress > c.timeouts.command)
    wrong('timeouts.stress', 'is longer than timeouts.command, and would have no effect')
  problems.push(...aboutBounces(c))
  if (c.retry.most < c.retry.first) wrong('retry.most', 'is shorter than retry.first')
  return problems
}
