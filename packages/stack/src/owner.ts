import { mkdirSync } from 'node:fs'
import type { Journal } from '@posthorn/contracts'
import { openUsers, type Users } from '@posthorn/msa'
import { serveQueue } from '@posthorn/queue-socket'
import { systemClock as clock, systemRandom as random } from '@posthorn/system'
import { usersFile } from './accounts.ts'
import { tagsOf } from './bounces.ts'
import { certificatesOf } from './certificate.ts'
import { directories } from './directories.ts'
import type { Store } from './environment.ts'
import { openLog, type LogOptions } from './log.ts'
import { Opened } from './opened.ts'
import type { Config } from './schema.ts'
import { explained } from './stack-error.ts'
import { ownStore } from './store.ts'

/** The process of a server that owns its store, while others take mail in and deliver it. */
export interface QueueOwner {
  readonly queue: Store
  readonly users: Users
  readonly journal: Journal
  /** Free what the others had leased, and close the store. The others must be gone. */
  stop(): Promise<void>
}

export interface OwnerOptions extends LogOptions {
  readonly state: string
  /** Where the queue is served. */
  readonly socket: string
  readonly logTo: NonNullable<LogOptions['logTo']>
}

/**
 * Open a state directory and serve its queue on a local socket. What the others would make at the same time, a certificate and a key of
 * our own, is made here. Rejects as `createStack` does, with nothing left open.
 */
export const openOwner = async (config: Config, o: OwnerOptions): Promise<QueueOwner> => {
  const opened = new Opened()
  try {
    return await open(config, o, opened)
  } catch (error) {
    await opened.close()
    throw error
  }
}

const open = async (config: Config, o: OwnerOptions, opened: Opened): Promise<QueueOwner> => {
  const at = directories(o.state)
  await explained('the state directory', () => mkdirSync(at.state, { recursive: true, mode: 0o700 }))
  const journal = openLog(config, o, clock)
  opened.add(() => journal.close())
  const env = { clock, random, journal }
  const queue = await ownStore(config, at, { ...env, opened })
  opened.add(() => queue.close())
  const onError = (error: unknown): void => journal.event('error', { what: 'users', why: String(error) }, 'error')
  const users = await explained('', () => openUsers(usersFile(config, at.state), { clock, random, onError }))
  const certificates = await explained('the certificate', () => certificatesOf(config, at.tls, env))
  if ('close' in certificates) certificates.close()
  await explained('the key of return paths', () => tagsOf(config, at.bounceKey, { ...env, store: queue }))
  const server = await explained('the socket of the queue', () => serveQueue({ path: o.socket, queue, clock, journal }))
  opened.add(() => server.close())
  return { queue, users, journal, stop: () => opened.close() }
}
