import type { Draft, Envelope, Forwarded, NewMessage } from '@posthorn/contracts'
import { renderHeaders } from '@posthorn/message'
import type { Finished, Letter } from './letter.ts'
import type { IntakeOptions } from './options.ts'

/** What the queue is told of a message besides what the letter knows. */
export interface Terms {
  readonly envelope: Omit<Envelope, 'returnPath' | 'origin' | 'user'>
  readonly held?: string
  readonly expires?: number
  /** A plugin's word counts for more. */
  readonly priority?: number
  /** Kept for `show`. What plugins said of the letter is added to `verdicts`. */
  readonly facts: { readonly verdicts?: readonly unknown[]; readonly [name: string]: unknown }
}

/** The message as the queue takes it. */
export const newMessage = (letter: Letter, finished: Finished, terms: Terms): NewMessage => {
  const { origin, user } = letter
  const said = [...(terms.facts.verdicts ?? []), ...finished.context.verdicts]
  const facts = { ...terms.facts, verdicts: said.length === 0 ? undefined : said }
  const priority = finished.priority === 0 ? (terms.priority ?? 0) : finished.priority
  return {
    envelope: { ...terms.envelope, returnPath: finished.sender, origin, ...(user !== undefined && { user }) },
    recipients: finished.recipients,
    facts,
    head: renderHeaders(finished.headers),
    ...(priority !== 0 && { priority }),
    ...(finished.tags.length > 0 && { tags: finished.tags }),
    ...(terms.held !== undefined && { held: terms.held }),
    ...(terms.expires !== undefined && { expires: terms.expires }),
  }
}

const report = (o: IntakeOptions, where: string, error: unknown): void => {
  const why = error instanceof Error ? (error.stack ?? error.message) : String(error)
  o.journal.event('error', { where, why }, 'error')
}

/** Commit; leased to the dispatcher on the spot when it has room. Resolves when we are responsible. Rejects with StoreError. */
export const commitDraft = async (draft: Draft, message: NewMessage, o: IntakeOptions): Promise<void> => {
  const { handoff } = o
  const { recipients, held } = message
  if (handoff === undefined || held !== undefined || !handoff.wants(recipients.map(r => r.site))) {
    await draft.commit(message)
    return
  }
  const claims = await draft.commit(message, { owner: handoff.owner, leaseMs: handoff.leaseMs })
  try {
    handoff.take(claims)
  } catch (error) {
    // It is in the queue all the same: a refusal now would make two of it. The lease ends by itself.
    report(o, 'handoff', error)
  }
}

/** Tell the journal and the `queued` hook. Never throws: the message is in the queue already. */
export const announce = (
  letter: Letter,
  o: {
    readonly finished: Finished
    readonly message: NewMessage
    readonly about: { readonly session?: string; readonly ip?: string; readonly forwarded?: Forwarded | undefined }
    readonly options: IntakeOptions
  },
): void => {
  const { finished, message, about, options } = o
  options.journal.event('message.received', {
    id: letter.id,
    origin: letter.origin,
    sender: finished.sender?.wire ?? '',
    recipients: finished.recipients.length,
    size: (message.head?.byteLength ?? 0) + letter.body.size,
    messageId: finished.headers.first('message-id')?.slice(0, 250),
    user: letter.user,
    held: message.held,
    ...about,
  })
  options.chain.observe('queued', finished.context.rcpts, finished.context)
}
