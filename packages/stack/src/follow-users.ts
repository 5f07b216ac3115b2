import type { Clock } from '@posthorn/contracts'
import type { LocalMailboxes } from '@posthorn/mda'
import type { User, Users } from '@posthorn/msa'
import { mailboxNames } from './local-mailboxes.ts'
import type { Config } from './schema.ts'

/** How often the mailboxes follow the users. */
const followUsersMs = 1_000

/** Give every user who is added while we run a mailbox, within a second. The result ends it. */
export const followUsers = (
  config: Config,
  o: {
    readonly clock: Clock
    readonly users: Users
    readonly mailboxes: LocalMailboxes
    readonly onError: (error: unknown) => void
  },
): (() => void) => {
  let cancel = (): void => undefined
  let known: readonly User[] = []
  const follow = (): void => {
    cancel = o.clock.after(followUsersMs, follow)
    const users = o.users.list()
    // The same objects as long as their file is the same.
    if (users.length === known.length && users.every((user, i) => user === known[i])) return
    known = users
    try {
      o.mailboxes.update({ mailboxes: mailboxNames(config, o.users) })
    } catch (error) {
      // What was known goes on: a user who is gone may still be the configuration's postmaster.
      o.onError(error)
    }
  }
  follow()
  return () => cancel()
}
