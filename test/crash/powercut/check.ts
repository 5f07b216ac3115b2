import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Journal } from '@posthorn/contracts'
import type { Body } from '@posthorn/message'
import { openQueue } from '@posthorn/queue'
import { claimSample, manualClock, seededRandom } from '@posthorn/testkit'
import { listMessages, openMaildir, readMessage } from 'maildir-parse'
import { endOf, wholeName } from './content.ts'
import type { Promised } from './promises.ts'

/** What is wrong with an image; `fatal` is a store that cannot be opened. */
export interface Finding {
  readonly kind: 'lost' | 'torn' | 'doubled' | 'fatal' | 'left over'
  readonly what: string
}

const bytesOf = async (content: AsyncIterable<Uint8Array>): Promise<Uint8Array> => {
  const chunks: Uint8Array[] = []
  for await (const chunk of content) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** Long after all retries. */
const later = Date.UTC(2100, 0)
let seed = 1

/** Everything that the queue hands out after its recovery, by name and recipient. */
const queued = async (directory: string, findings: Finding[]): Promise<ReadonlySet<string>> => {
  const names = new Set<string>()
  const journal: Journal = {
    event: (name, fields) => {
      if (name === 'queue.corrupt' || name === 'error')
        findings.push({ kind: 'torn', what: `${name} ${JSON.stringify(fields)}` })
    },
    child: () => journal,
  }
  const clock = manualClock({ wall: later })
  const queue = await openQueue({ directory, clock, random: seededRandom(seed++), journal, sync: false, floorBytes: 0 })
  // What was in hand at several crashes in a row is put off when the store is opened.
  await clock.advance(2 * 3_600_000)
  const ids = new Set<string>()
  const read = async (body: Body): Promise<string | undefined> => wholeName(await bytesOf(body.open()))
  for (;;) {
    const claims = await claimSample(queue, { perSite: 10_000 })
    if (claims.length === 0) break
    for (const { id, to, body } of claims) {
      ids.add(id)
      const name = await read(body)
      if (name === undefined) findings.push({ kind: 'torn', what: `${id} in the queue` })
      const key = `${name} ${to.to.local}`
      if (names.has(key)) findings.push({ kind: 'doubled', what: `${key} is in the queue twice` })
      names.add(key)
    }
  }
  await queue.close()
  for (const file of readdirSync(join(directory, 'spool')))
    if (!ids.has(file)) findings.push({ kind: 'left over', what: `spool/${file}` })
  return names
}

/** Everything in the Maildir, by name and recipient. */
const delivered = async (path: string, findings: Finding[]): Promise<ReadonlySet<string>> => {
  const names = new Set<string>()
  const maildir = await openMaildir(path).catch(() => undefined)
  if (maildir === undefined) return names
  for await (const entry of listMessages(maildir)) {
    const bytes = Buffer.from(await bytesOf(readMessage(maildir, entry)))
    const start = bytes.indexOf('\r\n') + 2
    const rcpt = /^To: (r\d)\r\n$/.exec(bytes.subarray(0, start).toString('latin1'))?.[1]
    const name = wholeName(bytes.subarray(start))
    if (rcpt === undefined || name === undefined) findings.push({ kind: 'torn', what: `${entry.file} in the Maildir` })
    names.add(`${name} ${rcpt}`)
  }
  return names
}

/** Start on what a power cut left, and hold it against what had been promised before. */
export const check = async (root: string, promised: Promised): Promise<readonly Finding[]> => {
  const findings: Finding[] = []
  let inQueue: ReadonlySet<string>
  try {
    inQueue = await queued(join(root, 'var', 'queue'), findings)
  } catch (error) {
    return [...findings, { kind: 'fatal', what: String(error) }]
  }
  const inMaildir = await delivered(join(root, 'mail', 'bob'), findings)
  const somewhere = (key: string): boolean => inQueue.has(key) || inMaildir.has(key)
  // The report may have come without the word of it: then its name follows from the message's.
  const reported = (key: string): boolean =>
    somewhere(promised.reports.get(key) ?? `report.${key.replace(' ', '.')}-700 r0`)
  for (const key of promised.accepted) {
    const [name = '', rcpt = ''] = key.split(' ')
    const safe = somewhere(key) || (endOf(name, rcpt) === 'failed' && reported(key))
    if (!safe) findings.push({ kind: 'lost', what: `${key} was accepted` })
  }
  for (const key of promised.delivered)
    if (!inMaildir.has(key)) findings.push({ kind: 'lost', what: `${key} was delivered` })
  for (const key of promised.left)
    if (inQueue.has(key)) findings.push({ kind: 'doubled', what: `${key} is in the queue again after its settlement` })
  return findings
}
