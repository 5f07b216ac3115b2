import { join } from 'node:path'
import { asMaildirError, codeOf, MaildirError } from './error.ts'
import { findMessage, type MaildirEntry } from './list.ts'
import type { Maildir } from './maildir.ts'

/** How often a message may move away under one operation before it gives up. */
const TRIES = 4

/** The path of an entry's file. */
const entryPath = (maildir: Maildir, entry: MaildirEntry): string => join(maildir.path, entry.place, entry.file)

/** Do something to a message's file; when another program has moved it since, find it again by its base. Rejects with `gone` at last. */
export const onMessage = async <T>(
  maildir: Maildir,
  entry: MaildirEntry,
  step: string,
  act: (path: string, entry: MaildirEntry) => Promise<T>,
): Promise<T> => {
  let at: MaildirEntry | undefined = entry
  for (let tries = 0; tries < TRIES && at !== undefined; tries++) {
    try {
      return await act(entryPath(maildir, at), at)
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw asMaildirError(error, step)
    }
    at = await findMessage(maildir, entry.name.base)
  }
  throw new MaildirError('gone', `${step}: ${entry.name.base} is not there any more`)
}
