import type { Outcome, Transport } from '@posthorn/contracts'

/** The transport of deliveries that stand for the expansion of an address: `expanded:alias`, or `expanded:list`. */
export const expansions: Transport = {
  deliver: job => Promise.resolve(job.recipients.map(() => (job.site === 'expanded:list' ? toList : toMembers))),
}

/** RFC 3461 §5.2.7.3 */
const toMembers: Outcome = {
  fate: 'expanded',
  phase: 'local',
  cause: 'the address stands for several others, to whom it goes',
  status: '2.1.5',
}
/** To be taken by a list is final delivery (RFC 3461 §5.2.7.1). */
const toList: Outcome = { fate: 'delivered', phase: 'local', cause: 'delivered to the list', status: '2.1.5' }
