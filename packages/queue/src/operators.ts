import type { Change, Clock, Filter, Journal, Queue, QueueId } from '@posthorn/contracts'
import type { Body } from '@posthorn/message'
import { heldForSender, senderPrefix } from '@posthorn/queue-base'
import type { Answers, Operation, Query } from './operation.ts'
import { suspensionKey } from './suspend.ts'

/** What the people in charge ask of a queue. */
export type Operators = Pick<
  Queue,
  'list' | 'count' | 'show' | 'open' | 'change' | 'suspend' | 'resume' | 'suspensions'
>

export interface OperatorDeps {
  readonly clock: Clock
  readonly journal: Journal | undefined
  readonly submit: (op: Operation) => Promise<unknown>
  readonly ask: <Q extends Query>(query: Q) => Promise<Answers[Q['ask']]>
  readonly bodyOf: (id: QueueId, stored: NonNullable<Answers['open']>) => Body
}

/** Deliveries changed in one transaction: a change of a million holds up no message for long. */
const step = 500

export const createOperators = ({ clock, journal, submit, ask, bodyOf }: OperatorDeps): Operators => {
  const changeAll = async (
    filter: Filter,
    how: { readonly change: Change; readonly actor: string; readonly reason?: string },
    dryRun: boolean,
  ): Promise<number> => {
    let changed = 0
    for (let after: number | undefined = 0; after !== undefined;) {
      const query = { ask: 'keys', now: clock.wall(), filter, after, limit: step } as const
      const page: Answers['keys'] = await ask(query)
      if (dryRun) changed += page.keys.length
      else if (page.keys.length > 0)
        changed += (await submit({ do: 'change', deliveries: page.keys, ...how })) as number
      after = page.after
    }
    return changed
  }
  const countAll = async (filter: Filter): Promise<number> => {
    const counts = await ask({ ask: 'count', now: clock.wall(), filter })
    return counts.reduce((sum, [, n]) => sum + n, 0)
  }

  return {
    list: async (filter, { after, limit }) => {
      const page = await ask({ ask: 'list', now: clock.wall(), filter, after: cursor(after), limit })
      return { rows: page.rows, ...(page.after !== undefined && { after: String(page.after) }) }
    },
    count: async (filter, by) =>
      new Map(await ask({ ask: 'count', now: clock.wall(), filter, ...(by !== undefined && { by }) })),
    show: id => ask({ ask: 'show', now: clock.wall(), id }),
    open: async id => {
      const found = await ask({ ask: 'open', id })
      return found && bodyOf(id, found)
    },
    change: (filter, change, actor, { dryRun = false } = {}) => changeAll(filter, { change, actor }, dryRun),
    suspend: async (what, actor, { why, dryRun = false } = {}) => {
      const { kind, name } = suspensionKey(what)
      const waits: Filter = { and: [{ field: kind, op: '=', value: name }] }
      if (dryRun) return countAll(waits)
      const fresh = await submit({ do: 'suspend', kind, name, actor, ...(why !== undefined && { why }) })
      if (fresh === true) journal?.event('queue.suspended', { [kind]: name, by: actor, why }, 'warn')
      if (kind === 'site') return countAll(waits)
      const change: Change = { do: 'hold', ...(why !== undefined && { why }) }
      return changeAll(waits, { change, actor, reason: heldForSender(actor, why) }, false)
    },
    resume: async (what, actor, { dryRun = false } = {}) => {
      const { kind, name } = suspensionKey(what)
      const named = { field: kind, op: '=', value: name } as const
      const waits: Filter =
        kind === 'site' ? { and: [named] } : { and: [named, { field: 'why', op: '~', value: `${senderPrefix}*` }] }
      if (dryRun) {
        const known = (await ask({ ask: 'suspensions' })).map(s => suspensionKey(s.what))
        return known.some(k => k.kind === kind && k.name === name) ? countAll(waits) : undefined
      }
      if ((await submit({ do: 'resume', kind, name })) !== true) return undefined
      journal?.event('queue.resumed', { [kind]: name, by: actor }, 'warn')
      return kind === 'site' ? countAll(waits) : changeAll(waits, { change: { do: 'release' }, actor }, false)
    },
    suspensions: () => ask({ ask: 'suspensions' }),
  }
}

const cursor = (after: string | undefined): number => {
  const key = after === undefined ? 0 : Number(after)
  if (!Number.isSafeInteger(key) || key < 0) throw new RangeError(`no such place in the list: ${after}`)
  return key
}
