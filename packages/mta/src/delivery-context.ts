import type { Mailbox } from '@posthorn/address'
import type { Claim, Job, NewRecipient, Origin, QueueId, SiteKey } from '@posthorn/contracts'
import { Scope } from '@posthorn/plugin'
import type { OnDelivery } from '@posthorn/plugin'
import { reportsTo } from './owed.ts'

/** What a claim and a job say of their message alike. */
type Mail = Pick<Job, 'id' | 'site' | 'envelope' | 'body' | 'tags'>
interface Leg {
  readonly rcpt: NewRecipient
  readonly sender: Mailbox | null
  readonly tries: number
}

/** What the outward hooks and plugins' transports see of one delivery. */
export class DeliveryContext extends Scope implements OnDelivery {
  readonly queueId: QueueId
  readonly origin: Origin
  readonly user: string | undefined
  readonly sender: Mailbox | null
  readonly rcpt: NewRecipient
  readonly site: SiteKey
  readonly tries: number
  readonly size: number
  readonly tags: readonly string[]

  constructor(mail: Mail, leg: Leg, signal: AbortSignal) {
    super({ signal })
    this.queueId = mail.id
    this.origin = mail.envelope.origin
    this.user = mail.envelope.user
    this.sender = leg.sender
    this.rcpt = leg.rcpt
    this.site = mail.site
    this.tries = leg.tries
    this.size = mail.body.size
    this.tags = mail.tags ?? []
  }
}

/** Of a delivery before it has become a job. */
export const contextOfClaim = (claim: Claim, signal: AbortSignal): DeliveryContext =>
  new DeliveryContext(claim, { rcpt: claim.to, sender: reportsTo(claim), tries: claim.attempts }, signal)

/** Of one recipient of a job. */
export const contextOfJob = (job: Job, rcpt: NewRecipient, signal: AbortSignal): DeliveryContext =>
  new DeliveryContext(job, { rcpt, sender: job.returnPath, tries: job.tries ?? 0 }, signal)
