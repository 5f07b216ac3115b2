import { openQueue } from '@posthorn/queue'
import { openPostgresQueue } from '@posthorn/queue-postgres'
import type { Clock, Journal, Random } from '@posthorn/contracts'
import type { Directories } from './directories.ts'
import type { Store } from './environment.ts'
import type { Config } from './schema.ts'
import { takeNodeName } from './node-name.ts'
import type { Opened } from './opened.ts'
import { readSecret } from './secret.ts'
import { explained } from './stack-error.ts'

/** The URL of the database that several nodes share; undefined when the queue is below the state directory. Throws ConfigError. */
export const databaseUrl = ({ queue }: Config): string | undefined => {
  if (queue === 'embedded') return undefined
  const { url } = queue.postgres
  return typeof url === 'string' ? url : readSecret('queue.postgres.url', url)
}

/**
 * The share of the time after which others take over for which a lease is given: a node that has lost the database believes in its
 * leases no longer than the others do.
 */
const leaseShare = 0.8

/** How the dispatcher must work on the configured queue. */
export const leaseTerms = ({ queue }: Config): { readonly sole?: false; readonly leaseMs?: number } =>
  queue === 'embedded' ? {} : { sole: false, leaseMs: Math.floor(queue.postgres.takeover * leaseShare) }

/**
 * Open the configured queue as the one process of this state directory that does; what else must be given back for it is added to
 * `opened`, and the store is not. Rejects with StackError.
 */
export const ownStore = async (
  config: Config,
  at: Directories,
  o: { readonly clock: Clock; readonly random: Random; readonly journal: Journal; readonly opened: Opened },
): Promise<Store> => {
  const { opened, ...env } = o
  const node = config.queue === 'embedded' ? undefined : await explained('', () => takeNodeName(at.state, env.random))
  if (node !== undefined) opened.add(() => node.release())
  return explained('', () => openStore(config, at, { ...env, ...(node && { node: node.name }) }))
}

/** Open the configured queue; `node` is our name among those that share it, kept over restarts. Rejects as the packages do. */
export const openStore = async (
  config: Config,
  at: Directories,
  env: { readonly clock: Clock; readonly random: Random; readonly journal?: Journal; readonly node?: string },
): Promise<Store> => {
  const { node, ...rest } = env
  const url = databaseUrl(config)
  if (config.queue === 'embedded' || url === undefined)
    return openQueue({ ...rest, directory: at.queue, floorBytes: config.limits.freeSpace })
  const { takeover, connections } = config.queue.postgres
  return openPostgresQueue({ ...rest, url, connections, takeoverMs: takeover, ...(node !== undefined && { node }) })
}
