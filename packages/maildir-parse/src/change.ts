import { rename, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { changeFlags, type FlagChange } from './flags.ts'
import { listMessages, type MaildirEntry } from './list.ts'
import type { Maildir } from './maildir.ts'
import { formatName } from './name.ts'
import { onMessage } from './moved.ts'

/**
 * Change a message's flags; a message in `new` moves to `cur`, also with an empty change (that is how a reader says it has seen it
 * in a listing). Returns the entry as it now is. Rejects with MaildirError `gone` when it was expunged meanwhile, RangeError on
 * flags that are no letters.
 */
export const flagMessage = (maildir: Maildir, entry: MaildirEntry, change: FlagChange): Promise<MaildirEntry> =>
  onMessage(maildir, entry, 'flag', async (path, now) => {
    const flags = changeFlags(now.name.flags, change)
    const name = { ...now.name, info: `2,${flags}`, flags }
    const file = formatName(name)
    if (now.place === 'cur' && now.file === file) return now
    await rename(path, join(maildir.path, 'cur', file))
    return { place: 'cur', file, name }
  })

/** Remove a message for good. Rejects with MaildirError `gone` when it is not there. */
export const expungeMessage = (maildir: Maildir, entry: MaildirEntry): Promise<void> =>
  onMessage(maildir, entry, 'expunge', path => unlink(path))

/** Remove every message that bears the flag T; says how many. */
export const expungeTrashed = async (maildir: Maildir): Promise<number> => {
  let count = 0
  for await (const entry of listMessages(maildir, { place: 'cur' })) {
    if (!entry.name.flags.includes('T')) continue
    await expungeMessage(maildir, entry)
    count += 1
  }
  return count
}
