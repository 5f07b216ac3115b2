import { join, resolve } from 'node:path'

/** The layout of a state directory. */
export interface Directories {
  readonly state: string
  /** Database, spool and lock of the queue. */
  readonly queue: string
  /** One Maildir for each mailbox. */
  readonly mail: string
  /** The Maildir of mail for other domains, when nothing may leave. */
  readonly trap: string
  /** Key and certificate that we signed ourselves. */
  readonly tls: string
  /** The key that signs return paths, when the configuration names none. */
  readonly bounceKey: string
  /** Messages on their way into Maildirs over LMTP. */
  readonly incoming: string
}

export const directories = (state: string): Directories => {
  const root = resolve(state)
  return {
    state: root,
    queue: join(root, 'queue'),
    mail: join(root, 'mail'),
    trap: join(root, 'trap'),
    tls: join(root, 'tls'),
    bounceKey: join(root, 'bounces.key'),
    incoming: join(root, 'incoming'),
  }
}
