import { formatMailbox } from '@posthorn/address'
import type { Journal, Level } from '@posthorn/contracts'
import type { Classifier } from '@posthorn/dsn'
import type { Judgement } from './judge.ts'
import { reportsTo } from './owed.ts'

/** Tell the journal what became of one recipient in one attempt. */
export const tellJournal = (journal: Journal, j: Judgement, classify: Classifier): void => {
  const { claim, outcome, when } = j
  const { reply, tls } = outcome
  const bad = outcome.fate === 'failed' || outcome.fate === 'deferred' ? classify(outcome) : undefined
  journal.event(
    j.event,
    {
      id: claim.id,
      rcpt: formatMailbox(claim.to.to),
      from: formatMailbox(reportsTo(claim)),
      origin: claim.envelope.origin,
      site: claim.site,
      attempt: claim.attempts + (j.attempt === undefined ? 0 : 1),
      size: claim.body.size,
      phase: outcome.phase,
      remote: outcome.remote,
      code: reply?.code,
      enhanced: j.status,
      text: reply?.lines.join(' '),
      cause: outcome.cause,
      class: bad?.class,
      rule: bad?.rule,
      tls: tls === undefined ? undefined : `${tls.version} ${tls.cipher}`,
      tlsVerified: tls?.authorized,
      tlsPolicy: outcome.tlsPolicy,
      queuedMs: when === undefined ? undefined : when.at - claim.arrived,
      ms: when === undefined ? undefined : Math.round(when.ms),
      next: 'due' in j.fate ? j.fate.due : undefined,
      why: 'why' in j.fate ? j.fate.why : undefined,
      tags: claim.tags.length === 0 ? undefined : claim.tags,
      user: claim.envelope.user,
      // Whether somebody will hear of a failure; a null sender or NOTIFY=NEVER is owed nothing.
      reported: j.fate.to === 'failed' ? j.report !== undefined : undefined,
    },
    levels[j.fate.to],
  )
}

const levels: Readonly<Record<Judgement['fate']['to'], Level>> = {
  delivered: 'info',
  relayed: 'info',
  expanded: 'info',
  dropped: 'info',
  retry: 'info',
  release: 'info',
  held: 'warn',
  unknown: 'warn',
  failed: 'warn',
}
