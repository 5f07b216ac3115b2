import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { parseMailbox, type Mailbox } from '@posthorn/address'
import type { Job, Journal, NewRecipient, QueueId, SiteKey, Transaction } from '@posthorn/contracts'
import { bodyOf, utf8, type Body } from '@posthorn/message'

/** A directory of the test's own, gone when it ends. */
export const scratch = async (): Promise<string> => {
  const path = await mkdtemp(join(tmpdir(), 'mda-'))
  onTestFinished(() => rm(path, { recursive: true, force: true }))
  return path
}

export const box = (text: string): Mailbox => {
  const mailbox = parseMailbox(text)
  if (mailbox === undefined) throw new Error(`${text} is no address`)
  return mailbox
}

/** A body that is never in memory, in small chunks. */
export const streamOf = (text: string, size = text.length): Body => ({
  size,
  async *open() {
    for (let at = 0; at < text.length; at += 7) yield utf8(text.slice(at, at + 7))
  },
})

export const jobFor = (
  mailbox: string,
  o: Partial<Job> & { readonly to?: readonly string[]; readonly text?: string } = {},
): Job => {
  const site = `local:${mailbox}` as SiteKey
  const { to = ['ann@example.org'], text = 'Subject: hello\r\n\r\nHello.\r\n', ...rest } = o
  return {
    id: '0123456789' as QueueId,
    site,
    route: { via: 'transport', name: 'local', arg: mailbox },
    envelope: { returnPath: null, origin: 'mx', smtputf8: false, body: '7bit', requireTls: false },
    returnPath: box('bob@example.net'),
    recipients: to.map((address): NewRecipient => ({ to: box(address), site })),
    body: bodyOf(utf8(text)),
    arrived: 0,
    stillOurs: () => true,
    ...rest,
  }
}

/** What lies in a Maildir's `new`, as text, sorted. */
export const delivered = async (maildir: string): Promise<readonly string[]> => {
  const files = await readdir(join(maildir, 'new')).catch(() => [])
  return (await Promise.all(files.map(file => readFile(join(maildir, 'new', file), 'utf8')))).sort()
}

/** A journal that remembers. */
export const journal = (): Journal & { readonly events: { readonly name: string; readonly fields: object }[] } => {
  const events: { readonly name: string; readonly fields: object }[] = []
  const made = {
    events,
    event: (name: string, fields: object) => void events.push({ name, fields }),
    child: () => made,
  }
  return made
}

export const transactionTo = (
  goesTo: Readonly<Record<string, readonly string[]>>,
  o: Partial<Transaction> = {},
): Transaction => ({
  session: 's1',
  service: 'lmtp',
  origin: 'lmtp',
  protocol: 'LMTP',
  client: { ip: '192.0.2.1', port: 1, helo: 'relay.example.net', tls: undefined, user: undefined },
  sender: box('bob@example.net'),
  recipients: Object.entries(goesTo).map(([to, mailboxes]) => ({
    to: box(to),
    goesTo: mailboxes.map(mailbox => ({
      to: box(to),
      destination: mailbox.includes(':') ? { transport: mailbox.split(':')[0] ?? '', arg: '' } : { mailbox },
    })),
  })),
  smtputf8: false,
  body: '7bit',
  requireTls: false,
  answersEach: true,
  signal: new AbortController().signal,
  ...o,
})
