import type { Outcome, Transport } from '@posthorn/contracts'
import { parseHeaders } from '@posthorn/message'
import type { BoundTransport } from '@posthorn/plugin'
import { contextOfJob } from './delivery-context.ts'
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
        job.stillOurs() && !signal.aborted ? await run(arg, message, contextOfJob(job, rcpt, signal)) : notOurs,
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
