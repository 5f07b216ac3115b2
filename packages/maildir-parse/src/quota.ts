import { constants } from 'node:fs'
import { open, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { asMaildirError, codeOf } from './error.ts'
import { listFolders, openFolder } from './folder.ts'
import { listMessages } from './list.ts'
import type { Maildir } from './maildir.ts'
import { messageSize } from './read.ts'

/** Octets and messages. */
export interface Usage {
  readonly bytes: number
  readonly messages: number
}
/** What a mailbox may hold; an absent limit is none. */
export interface QuotaLimits {
  readonly bytes?: number
  readonly messages?: number
}
export interface Quota {
  readonly limits: QuotaLimits
  readonly used: Usage
  /** The file has grown over 5120 octets, or has lines that make no sense: count again with `resetQuota`. */
  readonly stale: boolean
}

/** Maildir++: a longer file is to be counted afresh. */
const LONGEST = 5120

const parseLimits = (line: string): QuotaLimits => {
  const bytes = /(?:^|,)(\d{1,15})S(?:,|$)/.exec(line)?.[1]
  const messages = /(?:^|,)(\d{1,15})C(?:,|$)/.exec(line)?.[1]
  return {
    // Zero means no limit.
    ...(bytes === undefined || Number(bytes) === 0 ? {} : { bytes: Number(bytes) }),
    ...(messages === undefined || Number(messages) === 0 ? {} : { messages: Number(messages) }),
  }
}

/** The content of a `maildirsize` file: the limits, then one line of octets and messages for every change. Never throws. */
export const parseMaildirsize = (text: string): Quota => {
  const [first = '', ...rest] = text.split('\n')
  let bytes = 0
  let messages = 0
  let stale = text.length > LONGEST
  for (const line of rest) {
    if (line.trim() === '') continue
    const change = /^\s*(-?\d{1,15})\s+(-?\d{1,15})\s*$/.exec(line)
    if (change === null) stale = true
    bytes += Number(change?.[1] ?? 0)
    messages += Number(change?.[2] ?? 0)
  }
  return { limits: parseLimits(first), used: { bytes, messages }, stale: stale || bytes < 0 || messages < 0 }
}

/** Whether a message of `bytes` octets still fits. */
export const fitsQuota = (quota: Quota, bytes: number): boolean =>
  (quota.limits.bytes === undefined || quota.used.bytes + bytes <= quota.limits.bytes) &&
  (quota.limits.messages === undefined || quota.used.messages + 1 <= quota.limits.messages)

const sizeFile = (maildir: Maildir): string => join(maildir.path, 'maildirsize')

/** The quota that the Maildir's `maildirsize` tells; `undefined` when it has none. Reads at most 8 KiB. */
export const readQuota = async (maildir: Maildir): Promise<Quota | undefined> => {
  try {
    const file = await open(sizeFile(maildir), constants.O_RDONLY | constants.O_NOFOLLOW)
    try {
      const { bytesRead, buffer } = await file.read(Buffer.alloc(8192), 0, 8192, 0)
      return parseMaildirsize(buffer.toString('latin1', 0, bytesRead))
    } finally {
      await file.close()
    }
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw asMaildirError(error, 'read maildirsize')
  }
}

/** Tell `maildirsize`, if there is one, of messages that came (or went, with negative numbers). One short append: writers need no lock. */
export const addUsage = async (maildir: Maildir, change: Usage): Promise<void> => {
  try {
    const file = await open(sizeFile(maildir), constants.O_WRONLY | constants.O_APPEND | constants.O_NOFOLLOW)
    try {
      await file.write(`${change.bytes} ${change.messages}\n`)
    } finally {
      await file.close()
    }
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw asMaildirError(error, 'write maildirsize')
  }
}

/** Messages that are on their way out do not count (Maildir++: those flagged T, and the folder Trash). */
const countOne = async (maildir: Maildir): Promise<Usage> => {
  let bytes = 0
  let messages = 0
  for await (const entry of listMessages(maildir)) {
    if (entry.name.flags.includes('T')) continue
    bytes += await messageSize(maildir, entry).catch(() => 0)
    messages += 1
  }
  return { bytes, messages }
}

/** Count what the Maildir and its folders hold. Its cost grows with the mailbox. */
export const countUsage = async (maildir: Maildir): Promise<Usage> => {
  let { bytes, messages } = await countOne(maildir)
  for await (const path of listFolders(maildir)) {
    if (path[0] === 'Trash') continue
    const folder = await openFolder(maildir, path).catch(() => undefined)
    if (folder === undefined) continue
    const more = await countOne(folder)
    bytes += more.bytes
    messages += more.messages
  }
  return { bytes, messages }
}

/** Count afresh and write `maildirsize` with these limits, in one step for readers. Deliveries during the count may be missed. */
export const resetQuota = async (maildir: Maildir, limits: QuotaLimits): Promise<Quota> => {
  const used = await countUsage(maildir)
  const first = [
    ...(limits.bytes === undefined ? [] : [`${limits.bytes}S`]),
    ...(limits.messages === undefined ? [] : [`${limits.messages}C`]),
  ].join(',')
  const tmp = join(maildir.path, 'tmp', maildir.names.next())
  try {
    await writeFile(tmp, `${first}\n${used.bytes} ${used.messages}\n`, { flag: 'wx', mode: 0o600 })
    await maildir.files.rename(tmp, sizeFile(maildir))
  } catch (error) {
    await maildir.files.unlink(tmp).catch(() => {})
    throw asMaildirError(error, 'write maildirsize')
  }
  return { limits, used, stale: false }
}
