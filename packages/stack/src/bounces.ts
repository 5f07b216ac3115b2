import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import type { Clock, Journal, Mailboxes, Random } from '@posthorn/contracts'
import { BounceTags, bounceReader, reversePath } from '@posthorn/mta'
import type { Plugin } from '@posthorn/plugin'
import type { Classifier } from '@posthorn/dsn'
import { ConfigError } from './config.ts'
import type { Store } from './environment.ts'
import type { Config } from './schema.ts'
import { readSecret } from './secret.ts'

/** So that nobody guesses it: 128 bits in hexadecimal digits have 32. */
const SHORTEST_KEY = 16

/** The configured keys of return paths; undefined when none are configured. Throws ConfigError. */
export const bounceKeys = ({ bounces }: Config): readonly string[] | undefined => {
  if (bounces.secret === undefined) return undefined
  const keys = readSecret('bounces.secret', bounces.secret)
    .split('\n')
    .map(line => line.trim())
    .filter(line => line !== '')
  const short = keys.find(key => key.length < SHORTEST_KEY)
  if (short !== undefined || keys.length === 0)
    throw new ConfigError([
      {
        path: 'bounces.secret',
        message: `has a key of ${short?.length ?? 0} characters; each line is a key of at least ${SHORTEST_KEY}`,
      },
    ])
  return keys
}

/** The key of our own making; made once, since tags that are out in the world were signed with it. */
const ownKey = (file: string, random: Random): string => {
  const known = existsSync(file) ? readFileSync(file, 'utf8').trim() : ''
  if (known.length >= SHORTEST_KEY) return known
  const key = Buffer.from(random.bytes(32)).toString('hex')
  // It is there whole or not at all, also after a power cut.
  writeFileSync(`${file}.new`, `${key}\n`, { mode: 0o600, flush: true })
  renameSync(`${file}.new`, file)
  return key
}

/** What signs and reads return paths; undefined when they are plain. Throws ConfigError, or the system's error. */
export const tagsOf = (
  config: Config,
  file: string,
  o: { readonly clock: Clock; readonly random: Random; readonly store: Store },
): BounceTags | undefined => {
  const { reversePath: form, lifetime, domain } = config.bounces
  if (form === 'plain') return undefined
  return new BounceTags({
    keys: bounceKeys(config) ?? [ownKey(file, o.random)],
    lifetimeMs: lifetime,
    ...(domain === undefined ? {} : { domain }),
    kv: o.store.keyValue('reverse-path'),
    clock: o.clock,
  })
}

/** The rules about bounces that come in. */
export const bouncePlugins = (
  config: Config,
  o: {
    readonly tags: BounceTags | undefined
    readonly mailboxes: Mailboxes
    readonly journal: Journal
    readonly store: Store
    readonly classify: Classifier
  },
): readonly Plugin[] => {
  const { tags, journal, classify, store } = o
  const { reversePath: form, refuse } = config.bounces
  const isLocalDomain = (domain: string): boolean => o.mailboxes.isLocalDomain(domain)
  const about = { journal, classify, isLocalDomain, hostname: config.hostname, show: store.show.bind(store) }
  if (tags === undefined || form === 'plain') return [bounceReader(about)]
  return [reversePath({ tags, form, refuse, isLocalDomain }), bounceReader({ ...about, tags })]
}
