import { parseSite } from '@posthorn/intake'
import type { AcceptedRecipient, Inject, Job, NewRecipient, Outcome, Transport } from '@posthorn/contracts'

/**
 * Transports that put what they are given into the queue: what comes over LMTP for an alias that leads elsewhere must not make the
 * client wait for that elsewhere.
 */
export const queued = (
  transports: Readonly<Record<string, Transport>>,
  inject: Inject,
): Readonly<Record<string, Transport>> =>
  Object.fromEntries(Object.keys(transports).map(name => [name, { deliver: job => enqueue(job, inject) }]))

const asAccepted = ({ to, notify, site }: NewRecipient): AcceptedRecipient => ({
  to,
  ...(notify !== undefined && { notify }),
  goesTo: [{ to, destination: parseSite(site) }],
})

const enqueue = async (job: Job, inject: Inject): Promise<readonly Outcome[]> => {
  let outcome: Outcome
  try {
    const id = await inject({
      origin: 'lmtp',
      sender: job.returnPath,
      recipients: job.recipients.map(asAccepted),
      bytes: job.body.open(),
    })
    outcome = { fate: 'relayed', phase: 'local', cause: `queued as ${id}` }
  } catch (error) {
    outcome = {
      fate: 'deferred',
      phase: 'local',
      cause: error instanceof Error ? error.message : String(error),
      status: '4.3.0',
    }
  }
  return job.recipients.map(() => outcome)
}
