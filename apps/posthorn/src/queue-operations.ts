import type { Awaitable, Journal, NewMessage, Queue, QueueId, QueueRow, SiteKey } from '@posthorn/contracts'
import type { BackupSummary } from '@posthorn/queue'
import type { Store } from '@posthorn/stack'

/** What the command asks of a queue: of the one it has opened, or of a running server's over its control socket. */
export interface QueueOperations extends Pick<
  Queue,
  'list' | 'count' | 'show' | 'open' | 'change' | 'suspend' | 'resume' | 'suspensions'
> {
  /** Enqueue a message whose head is part of its content. Resolves when it is on stable storage. */
  put(message: NewMessage, content: AsyncIterable<Uint8Array>, actor: string): Promise<QueueId>
  /** Copy the queue into a new directory, given by its absolute path, as its own process sees it. */
  backUp(directory: string, actor: string): Promise<BackupSummary>
}

export interface OperationDeps {
  readonly journal?: Journal
  /** Takes back what its dispatcher holds of a site that was suspended. */
  readonly giveBack?: (site: SiteKey, why: string) => void
  /** Why messages that a dispatcher holds are not being tried, in their order. */
  readonly whyWait?: (held: readonly Held[]) => Awaitable<readonly (string | undefined)[]>
}
/** A message that a dispatcher holds for a site. */
export type Held = Pick<QueueRow, 'site' | 'id'>

/** What is leased but waits for its turn says for what. */
const withTurns = async (
  rows: readonly QueueRow[],
  whyWait: OperationDeps['whyWait'],
): Promise<readonly QueueRow[]> => {
  const leased = rows.filter(row => row.state === 'leased')
  if (whyWait === undefined || leased.length === 0) return rows
  const reasons = await whyWait(leased.map(({ site, id }) => ({ site, id })))
  const why = new Map(leased.map((row, i) => [row, reasons[i]]))
  return rows.map(row => {
    const reason = why.get(row)
    return reason === undefined ? row : { ...row, waits: { why: reason } }
  })
}

/** A queue's operations, as its own process offers them. */
export const operationsOf = (queue: Store, { journal, giveBack, whyWait }: OperationDeps): QueueOperations => ({
  list: async (filter, o) => {
    const page = await queue.list(filter, o)
    return { ...page, rows: await withTurns(page.rows, whyWait) }
  },
  count: (filter, by) => queue.count(filter, by),
  show: async id => {
    const entry = await queue.show(id)
    return entry && { ...entry, queued: await withTurns(entry.queued, whyWait) }
  },
  open: id => queue.open(id),
  change: (filter, change, actor, o) => queue.change(filter, change, actor, o),
  suspend: async (what, actor, o) => {
    const waiting = await queue.suspend(what, actor, o)
    if ('site' in what && o?.dryRun !== true) giveBack?.(what.site, `suspended by ${actor}`)
    return waiting
  },
  resume: (what, actor, o) => queue.resume(what, actor, o),
  suspensions: () => queue.suspensions(),
  backUp: async (directory, actor) => {
    if (queue.backUp === undefined)
      throw new Error('the queue is in a database, and is backed up with it, as by pg_dump')
    const made = await queue.backUp(directory)
    const { messages, deliveries, octets } = made
    journal?.event('queue.copied', { to: directory, messages, deliveries, octets, by: actor })
    return made
  },
  put: async (message, content, actor) => {
    const draft = queue.begin()
    let size = 0
    try {
      for await (const chunk of content) {
        size += chunk.byteLength
        await draft.write(chunk)
      }
      await draft.end()
      await draft.commit(message)
    } catch (error) {
      await draft.abort()
      throw error
    }
    const { origin, user, returnPath } = message.envelope
    const { recipients, held } = message
    const sender = returnPath?.wire ?? ''
    const fields = { id: draft.id, origin, sender, recipients: recipients.length, size, user, held, by: actor }
    journal?.event('message.received', fields)
    return draft.id
  },
})
