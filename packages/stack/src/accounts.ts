import { join } from 'node:path'
import type { Authenticator, Clock, Journal, Network, Random, SenderRights } from '@posthorn/contracts'
import { dovecotUsers, type Users } from '@posthorn/msa'
import type { Config } from './schema.ts'

/** The file of the users; with Dovecot none of them logs in by it, and those in it have their mailboxes all the same. */
export const usersFile = (config: Pick<Config, 'users'>, state: string): string =>
  join(state, typeof config.users === 'string' ? config.users : 'users.json')

/** Who can log in, and what they may send as. */
export interface Accounts extends Authenticator, SenderRights {
  /** Resolves when what can be known of them in advance is known, or can't be. Never rejects. */
  connect(): Promise<void>
  close(): void
}

/** As the configuration says: the users of the file, or those of Dovecot. */
export const accountsOf = (
  config: Config,
  o: {
    readonly users: Users
    readonly network: Network
    readonly clock: Clock
    readonly random: Random
    readonly journal: Journal
  },
): Accounts => {
  if (typeof config.users === 'string') return { ...o.users, connect: () => Promise.resolve(), close: () => undefined }
  const { dovecot } = config.users
  return dovecotUsers({
    at: typeof dovecot === 'string' ? { path: dovecot } : dovecot,
    network: o.network,
    clock: o.clock,
    random: o.random,
    domains: config.domains,
    delimiter: config.delimiter === false ? '' : config.delimiter,
    onError: error =>
      o.journal.event(
        'error',
        { what: 'Dovecot authentication', why: error instanceof Error ? error.message : String(error) },
        'error',
      ),
  })
}
