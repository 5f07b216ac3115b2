import { opendir } from 'node:fs/promises'
import { join } from 'node:path'
import { asMaildirError } from './error.ts'
import type { Maildir } from './maildir.ts'
import { parseName, type MaildirName } from './name.ts'

/** A message in a Maildir as it was when listed. Another program may have moved it since; functions that take one look again. */
export interface MaildirEntry {
  /** `new`: no reader has seen it. `cur`: it may bear flags. */
  readonly place: 'new' | 'cur'
  readonly file: string
  readonly name: MaildirName
}

/** Read this many names at a time: the memory that a listing takes, however large the mailbox. */
const NAMES_AT_ONCE = 256

async function* listPlace(maildir: Maildir, place: 'new' | 'cur'): AsyncGenerator<MaildirEntry> {
  try {
    for await (const entry of await opendir(join(maildir.path, place), { bufferSize: NAMES_AT_ONCE })) {
      // A link or a device among the messages was put there by no deliverer; following it would read somebody else's file.
      if (!entry.isFile()) continue
      const name = parseName(entry.name)
      if (name !== undefined) yield { place, file: entry.name, name }
    }
  } catch (error) {
    throw asMaildirError(error, `list ${place}`)
  }
}

/**
 * The messages, first those in `new`, in the order of the directory, without holding them all. What lies in `tmp` is no message yet.
 * A message that a reader moves from `new` to `cur` meanwhile may come twice, with the same `name.base`, but is not left out.
 */
export async function* listMessages(
  maildir: Maildir,
  options: { readonly place?: 'new' | 'cur' } = {},
): AsyncGenerator<MaildirEntry> {
  if (options.place !== 'cur') yield* listPlace(maildir, 'new')
  if (options.place !== 'new') yield* listPlace(maildir, 'cur')
}

/** The message of that base, wherever it is now and whatever its flags. Looks through the names: its cost grows with the mailbox. */
export const findMessage = async (maildir: Maildir, base: string): Promise<MaildirEntry | undefined> => {
  for await (const entry of listMessages(maildir)) if (entry.name.base === base) return entry
  return undefined
}

/** For sorting: by the time of delivery, then by name. */
export const byArrival = (a: MaildirEntry, b: MaildirEntry): number =>
  (a.name.time ?? 0) - (b.name.time ?? 0) || (a.name.base < b.name.base ? -1 : a.name.base > b.name.base ? 1 : 0)
