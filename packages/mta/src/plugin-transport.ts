import type { Job, NewRecipient, Origin, Outcome, QueueId, SiteKey, Transport } from '@posthorn/contracts'
import type { Mailbox } from '@posthorn/address'
import { parseHeaders } from '@posthorn/message'
import { Scope } from '@posthorn/plugin'
import type { BoundTransport, OnDelivery } from '@posthorn/plugin'
import { splitMessage } from './head.ts'

/** More is no header block that anyone should parse. */
const headLimit = 1024 * 1024

/** Lets the dispatcher deliver by a plugin's own transport, one recipient after the other. */
export const pluginTransport = (run: BoundTransport): Transport => ({
  deliver: async (job, signal) => {
    const { head, rest } = await splitMessage(job.body, headLimit, signal)
    const message = { headers: parseHeaders(head), body: rest }
    const arg = job.route.via === 'transport' ? job.route.arg : ''
    const outcomes: Outcome[] = []
    for (const rcpt of job.recipients)
      outcomes.push(
        job.stillOurs() && !signal.aborted ? await run(arg, message, new JobContext(job, rcpt, signal)) : notOurs,
      )
    return outcomes
  },
})

const notOurs: Outcome = {
  fate: 'deferred',
  phase: 'local',
  cause: 'broken off before it began',
  status: '4.3.2',
  notTried: true,
}

class JobContext extends Scope implements OnDelivery {
  readonly queueId: QueueId
  readonly origin: Origin
  readonly user: string | undefined
  readonly sender: Mailbox | null
  readonly rcpt: NewRecipient
  readonly site: SiteKey
  readonly tries: number
  readonly size: number
  readonly tags: readonly string[]

  constructor(job: Job, rcpt: NewRecipient, signal: AbortSignal) {
    super({ signal })
    this.queueId = job.id
    this.origin = job.envelope.origin
    this.user = job.envelope.user
    this.sender = job.returnPath
    this.rcpt = rcpt
    this.site = job.site
    this.tries = job.tries ?? 0
    this.size = job.body.size
    this.tags = job.tags ?? []
  }
}
