import { parseMailbox } from '@posthorn/address'
import type { Mailbox } from '@posthorn/address'
import { bodyOf } from '@posthorn/message'
import { createClient } from '@posthorn/smtp-client'
import type { SmtpClient, Target } from '@posthorn/smtp-client'
import type { Clock, Network, Random } from '@posthorn/contracts'
import type { Ledger, Letter } from './ledger.ts'

/** Tries before a user gives up. */
const most = 6

const mailbox = (text: string): Mailbox => {
  const parsed = parseMailbox(text)
  if (parsed === undefined) throw new Error(`${text} is no address`)
  return parsed
}

interface Setting {
  readonly clock: Clock
  readonly random: Random
  readonly ledger: Ledger
  readonly now: () => number
  readonly log: (what: string) => void
}

/** Hands letters in and notes what was promised for each recipient; comes again with those that were put off. */
export class User {
  readonly #o: Setting & { readonly client: SmtpClient }

  constructor(o: Setting & { readonly network: Network; readonly name: string }) {
    this.#o = { ...o, client: createClient({ network: o.network, clock: o.clock, hostname: o.name }) }
  }

  /** Resolves when every recipient was promised, refused or given up. */
  async send(letter: Letter, target: Target): Promise<void> {
    const { clock, random } = this.#o
    let left = letter.recipients
    for (let n = 0; n < most && left.length > 0; n++) {
      if (n > 0) await clock.sleep(60_000 + random.next() * 900_000)
      left = await this.#try(letter, left, target)
    }
    if (left.length > 0) this.#o.log(`gives up on ${letter.token}`)
  }

  async #try(letter: Letter, to: Letter['recipients'], target: Target): Promise<Letter['recipients']> {
    const { client, ledger, now, log } = this.#o
    const outcomes = await client.send(
      {
        returnPath: letter.sender === '' ? null : mailbox(letter.sender),
        recipients: to.map(({ rcpt, notify }) => ({
          to: mailbox(rcpt),
          ...(notify === 'never' && { notify: 'never' as const }),
          ...(notify === 'failure' && { notify: ['failure'] as const }),
          ...(notify === 'all' && { notify: ['success', 'failure', 'delay'] as const }),
        })),
        body: bodyOf(Buffer.from(letter.text, 'latin1')),
        smtputf8: false,
        eightBit: '7bit',
        requireTls: false,
      },
      target,
      new AbortController().signal,
    )
    const again: Letter['recipients'][number][] = []
    to.forEach((recipient, i) => {
      const outcome = outcomes[i]
      const id = /queued as (\S+)/.exec(outcome?.reply?.lines.join(' ') ?? '')?.[1]
      log(`${letter.token} for ${recipient.rcpt}: ${outcome?.fate} at ${outcome?.phase}, ${outcome?.cause}`)
      if (outcome?.fate === 'relayed') {
        letter.promises.push({ at: now(), rcpt: recipient.rcpt, id: id ?? '' })
        ledger.stats.accepted++
      } else if (outcome?.fate !== 'failed') again.push(recipient)
      if (outcome?.phase === 'dot' && outcome.fate !== 'relayed') letter.doubts++
    })
    return again
  }
}
