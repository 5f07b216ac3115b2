import type { Claim, NewMessage, NewRecipient, QueueId } from '@posthorn/contracts'

/** What the first claims of one message have in common. */
export interface FreshMail {
  readonly id: QueueId
  readonly message: Omit<NewMessage, 'head'>
  readonly body: Claim['body']
}

/** The claim of a delivery that was leased in the transaction that stored it. `arrived` is wall time in ms. */
export const firstClaim = (
  { id, message, body }: FreshMail,
  to: NewRecipient,
  { delivery, arrived }: Pick<Claim, 'delivery' | 'arrived'>,
): Claim => ({
  delivery,
  token: 1,
  id,
  site: to.site,
  to,
  attempts: 0,
  envelope: message.envelope,
  priority: message.priority ?? 0,
  tags: message.tags ?? [],
  body,
  arrived,
  ...(message.expires !== undefined && { expires: message.expires }),
})
