import {
  byArrival,
  flagMessage,
  listMessages,
  messageSize,
  openMaildir,
  readHeader,
  readMessage as readBytes,
  type FlagChange,
  type Maildir,
  type MaildirEntry,
} from 'maildir-parse'
import PostalMime, { type Address, type Email } from 'postal-mime'
import { oneLine } from './printable.ts'

/** One message in a list. Texts are decoded, and safe for a terminal. */
export interface Listing {
  /** Names the message for its whole life. Any beginning that no other message shares will do in its place. */
  readonly id: string
  /** Nobody has looked at it. */
  readonly unseen: boolean
  /** Letters after the Maildir specification: D, F, P, R, S, T, and a mailbox's own in lower case. */
  readonly flags: string
  /** In octets. */
  readonly size: number
  readonly from: string
  readonly to: string
  readonly subject: string
  /** When it was delivered, in ms since 1970. */
  readonly arrived: number
}

/** A message taken apart. Texts are as the sender wrote them, decoded: show them in a terminal through `forTerminal`. */
export interface Message extends Listing {
  readonly cc: string
  /** As the message says, in ISO 8601 where it can be read. */
  readonly date: string | undefined
  readonly messageId: string | undefined
  readonly text: string | undefined
  readonly html: string | undefined
  readonly attachments: readonly Attached[]
  /** The whole as it lies on the disk. */
  readonly bytes: Uint8Array
}
/** A part that is not the text. */
export interface Attached {
  /** As the sender named it: never a path to write to without a check. */
  readonly filename: string | undefined
  readonly contentType: string
  readonly content: Uint8Array
}

const HOW_MANY = 50
/** A message over this many octets is not taken apart: the parts are held in memory. */
const LARGEST = 64 * 1024 * 1024
/** Of header lines in one message, all parts together (row 38). */
const limits = { maxHeadersSize: 1024 * 1024, maxNestingDepth: 100, maxRfc822NestingDepth: 5 } as const

const addresses = (of: Address | readonly Address[] | undefined): string => {
  const list: readonly Address[] = of === undefined ? [] : 'name' in of ? [of] : of
  const one = (a: Address): string => {
    if (a.group !== undefined) return `${a.name}: ${a.group.map(one).join(', ')};`
    return a.name === '' ? (a.address ?? '') : `${a.name} <${a.address ?? ''}>`
  }
  return list.map(one).join(', ')
}

const listing = async (maildir: Maildir, entry: MaildirEntry, email: Email): Promise<Listing> => ({
  id: entry.name.base,
  unseen: !entry.name.flags.includes('S'),
  flags: entry.name.flags,
  size: await messageSize(maildir, entry),
  from: oneLine(addresses(email.from)),
  to: oneLine(addresses(email.to)),
  subject: oneLine(email.subject ?? ''),
  arrived: (entry.name.time ?? 0) * 1000,
})

/** What cannot be parsed (too deep, too many header lines) still has a place in the list. */
const parse = (bytes: Uint8Array): Promise<Email> =>
  PostalMime.parse(bytes, { ...limits, attachmentEncoding: 'arraybuffer' }).catch((): Email => ({
    headers: [],
    headerLines: [],
    attachments: [],
    subject: '(cannot be read)',
  }))

/** The newest so many, without holding the names of a large mailbox. */
const newest = async (
  maildir: Maildir,
  limit: number,
  wanted: (entry: MaildirEntry) => boolean,
): Promise<readonly MaildirEntry[]> => {
  let kept: MaildirEntry[] = []
  const seen = new Set<string>()
  const trim = (): void => {
    kept = kept.sort((a, b) => byArrival(b, a)).slice(0, limit)
    seen.clear()
    for (const entry of kept) seen.add(entry.name.base)
  }
  for await (const entry of listMessages(maildir)) {
    // A message that a reader moves meanwhile is listed twice.
    if (!wanted(entry) || seen.has(entry.name.base)) continue
    seen.add(entry.name.base)
    kept.push(entry)
    if (kept.length >= 2 * limit + 100) trim()
  }
  trim()
  return kept
}

/**
 * The newest messages of a Maildir, the newest first; 50 when no limit is given. Reads their header blocks only, and changes nothing.
 * Rejects with MaildirError when the directory is no Maildir.
 */
export const listMailbox = async (
  path: string,
  options: { readonly limit?: number; readonly unseen?: boolean } = {},
): Promise<readonly Listing[]> => {
  const maildir = await openMaildir(path)
  const entries = await newest(
    maildir,
    options.limit ?? HOW_MANY,
    entry => options.unseen !== true || !entry.name.flags.includes('S'),
  )
  const listed: Listing[] = []
  for (const entry of entries) {
    const header = await readHeader(maildir, entry).catch(() => undefined)
    // Expunged since the names were read.
    if (header !== undefined) listed.push(await listing(maildir, entry, await parse(header)))
  }
  return listed
}

/** The one message whose id begins so; `undefined` for none, or for several. */
const find = async (maildir: Maildir, id: string): Promise<MaildirEntry | undefined> => {
  let found: MaildirEntry | undefined
  for await (const entry of listMessages(maildir)) {
    if (entry.name.base === id) return entry
    if (id === '' || !entry.name.base.startsWith(id) || entry.name.base === found?.name.base) continue
    if (found !== undefined) return undefined
    found = entry
  }
  return found
}

/**
 * Read one message; `undefined` when no message, or more than one, has an id that begins so. Changes no flag. Throws RangeError on one over
 * 64 MiB, which is better read as a stream, and MaildirError as `listMailbox` does.
 */
export const readMessage = async (path: string, id: string): Promise<Message | undefined> => {
  const maildir = await openMaildir(path)
  const entry = await find(maildir, id)
  if (entry === undefined) return undefined
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of readBytes(maildir, entry)) {
    size += chunk.byteLength
    if (size > LARGEST) throw new RangeError(`message ${id} has more than ${LARGEST} octets`)
    chunks.push(chunk)
  }
  const bytes = Buffer.concat(chunks)
  const email = await parse(bytes)
  return {
    ...(await listing(maildir, entry, email)),
    cc: oneLine(addresses(email.cc)),
    date: email.date,
    messageId: email.messageId,
    text: email.text,
    html: email.html,
    attachments: email.attachments.map(attached),
    bytes,
  }
}

const attached = (part: Email['attachments'][number]): Attached => ({
  filename: part.filename ?? undefined,
  contentType: part.mimeType,
  content:
    typeof part.content === 'string'
      ? Buffer.from(part.content)
      : part.content instanceof ArrayBuffer
        ? new Uint8Array(part.content)
        : part.content,
})

/** Change a message's flags; says what they are now, `undefined` when there is no such message. Throws RangeError on flags that are no letters. */
export const setFlags = async (path: string, id: string, change: FlagChange): Promise<string | undefined> => {
  const maildir = await openMaildir(path)
  const entry = await find(maildir, id)
  return entry === undefined ? undefined : (await flagMessage(maildir, entry, change)).name.flags
}
