import { existsSync } from 'node:fs'
import type { Command } from 'commander'
import { mailboxPath } from 'maildir-parse'
import { forTerminal, listMailbox, readMessage, setFlags } from '@posthorn/mua'
import { directories } from '@posthorn/stack'
import { Failure } from './failure.ts'
import { stateOf, type StateOptions, withState } from './state-option.ts'
import { octets, span, terminal } from './terminal.ts'

function fail(message: string, exitCode = 1): never {
  throw new Failure(message, exitCode)
}

/** Where a mailbox is; `--trap` means the Maildir of mail that development mode did not let out. */
const pathOf = async (mailbox: string | undefined, o: MailOptions): Promise<string> => {
  const at = directories(await stateOf(o))
  if (o.trap === true) return existsSync(at.trap) ? at.trap : fail('the trap is empty')
  if (mailbox === undefined) throw new Failure('say which mailbox, such as me@posthorn.test, or --trap', 2)
  const path = mailboxPath(at.mail, mailbox)
  if (path === undefined) throw new Failure(`${JSON.stringify(mailbox)} can't be the name of a mailbox`, 2)
  return existsSync(path) ? path : fail(`${mailbox} has no mail under ${at.state}`)
}

interface MailOptions extends StateOptions {
  readonly trap?: boolean
  readonly limit?: string
  readonly unseen?: boolean
  readonly raw?: boolean
}

const list = async (mailbox: string | undefined, o: MailOptions): Promise<void> => {
  const out = terminal(o.json === true)
  const limit = o.limit === undefined ? 50 : Number(o.limit)
  if (!Number.isInteger(limit) || limit < 1)
    throw new Failure(`--limit takes a whole number of at least 1, not ${JSON.stringify(o.limit)}`, 2)
  const messages = await listMailbox(await pathOf(mailbox, o), { limit, unseen: o.unseen === true })
  for (const message of messages) out.value(message)
  if (messages.length === 0) out.line('No messages.')
  else
    out.table(
      ['', '', 'AGE', 'SIZE', 'FROM', 'SUBJECT'],
      messages.map((m, i) => [
        String(i + 1),
        m.unseen ? 'new' : m.flags,
        span(Date.now() - m.arrived),
        octets(m.size),
        m.from,
        m.subject,
      ]),
    )
}

/** A message by its number in the list, newest first, or by its id. */
const idOf = async (path: string, which: string): Promise<string> => {
  if (!/^\d{1,6}$/.test(which)) return which
  const found = (await listMailbox(path, { limit: Number(which) }))[Number(which) - 1]
  if (found === undefined) return fail(`there is no message ${which}`)
  return found.id
}

const show = async (mailbox: string, which: string | undefined, o: MailOptions): Promise<void> => {
  const out = terminal(o.json === true)
  const path = await pathOf(o.trap === true ? undefined : mailbox, o)
  const id = await idOf(path, (o.trap === true ? (which ?? mailbox) : which) ?? '1')
  const message = (await readMessage(path, id)) ?? fail(`there is no message ${id}`)
  await setFlags(path, id, { add: 'S' })
  if (o.raw === true) return void process.stdout.write(message.bytes)
  const { bytes: _bytes, attachments, ...rest } = message
  out.value({
    ...rest,
    attachments: attachments.map(a => ({
      filename: a.filename,
      contentType: a.contentType,
      size: a.content.byteLength,
    })),
  })
  for (const [name, value] of [
    ['From', message.from],
    ['To', message.to],
    ['Cc', message.cc],
    ['Date', message.date ?? ''],
    ['Subject', message.subject],
  ] as const)
    if (value !== '') out.line(`${out.bold(`${name}:`)} ${forTerminal(value)}`)
  out.line()
  out.line(forTerminal(message.text ?? message.html ?? '').trimEnd())
  for (const a of attachments)
    out.line(out.dim(`[${forTerminal(a.filename ?? 'unnamed')}, ${a.contentType}, ${octets(a.content.byteLength)}]`))
}

const flag = async (mailbox: string, which: string, flags: string, o: MailOptions): Promise<void> => {
  const out = terminal(o.json === true)
  const [, sign, letters] =
    /^([+-]?)([DFPRST]+)$/.exec(flags) ??
    fail(`flags are letters such as +S or -F, not ${JSON.stringify(flags)}; there are D, F, P, R, S and T`, 2)
  const path = await pathOf(mailbox, o)
  const id = await idOf(path, which)
  const now = await setFlags(path, id, sign === '-' ? { remove: letters ?? '' } : { add: letters ?? '' })
  if (now === undefined) throw new Failure(`there is no message ${which}`)
  out.value({ id, flags: now })
  out.line(`${which}: ${now === '' ? 'no flags' : now}`)
}

/** `posthorn mail …`. */
export const addMailCommands = (program: Command): void => {
  const mail = program.command('mail').description('read a mailbox')
  const trap = (command: Command): Command =>
    withState(command).option('--trap', 'the mail that development mode kept from leaving')
  trap(mail.command('list [mailbox]'))
    .description('list messages, the newest first')
    .option('--limit <n>', 'at most so many', '50')
    .option('--unseen', 'only those nobody has read')
    .action(list)
  trap(mail.command('show <mailbox> [message]'))
    .description('show a message by its number in the list or its id, and mark it seen; the newest when none is named')
    .option('--raw', 'byte for byte')
    .action(show)
  withState(mail.command('flag <mailbox> <message> <flags>'))
    .description('set (+S) or clear (-F) flags: S seen, R answered, F flagged, P passed on, D draft, T trashed')
    // Else `-F` would be an option that nobody knows.
    .allowUnknownOption()
    .action(flag)
}
