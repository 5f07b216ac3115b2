import { readAll } from '@posthorn/message'
import type { Clock, Job, Outcome, Random, Transport } from '@posthorn/contracts'
import type { Ledger } from './ledger.ts'
import { happens } from './trouble.ts'
import type { Trouble } from './trouble.ts'

const later: Outcome = { fate: 'deferred', phase: 'local', cause: 'the disk of the mailboxes failed', status: '4.3.0' }
const notOurs: Outcome = { fate: 'deferred', phase: 'local', cause: 'the lease ended', status: '4.3.0', notTried: true }

/**
 * Delivers into mailboxes that survive crashes: a while of writing, the instant in which the message is there, a while until that
 * is answered. In the place of Maildirs, whose steps have a power-cut suite of their own.
 */
export const mailroom = (o: {
  readonly host: string
  readonly now: () => number
  readonly clock: Clock
  readonly random: Random
  readonly trouble: Trouble
  readonly ledger: Ledger
  readonly hazard: (where: string) => void
  readonly log: (what: string) => void
}): Transport => {
  const { clock, random, trouble, ledger, host } = o
  const deliver = async (job: Job, signal: AbortSignal): Promise<readonly Outcome[]> => {
    const place = job.site.slice(job.site.indexOf(':') + 1)
    const text = Buffer.from(await readAll(job.body, 1 << 22)).toString('latin1')
    const outcomes: Outcome[] = []
    for (const { to } of job.recipients) {
      await clock.sleep(random.next() * 30)
      o.hazard('before a delivery')
      if (signal.aborted || !job.stillOurs()) {
        outcomes.push(notOurs)
        continue
      }
      ledger.tried(host, place, o.now())
      if (happens(random, trouble.mailbox)) {
        outcomes.push(later)
        continue
      }
      ledger.copies.push({ at: o.now(), host, place, rcpt: to.wire, sender: job.returnPath?.wire ?? '', text })
      o.log(`${job.id} is in the mailbox ${place}`)
      o.hazard('after a delivery')
      await clock.sleep(random.next() * 30)
      outcomes.push({ fate: 'delivered', phase: 'local', cause: `delivered to ${place}`, status: '2.1.5' })
    }
    return outcomes
  }
  return { deliver }
}
