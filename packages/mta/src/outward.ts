import type { Mailbox } from '@posthorn/address'
import type { Awaitable, Claim, Outcome, Route } from '@posthorn/contracts'
import { andThen, isStop, policyFailure, stopReply } from '@posthorn/plugin'
import type { Chain } from '@posthorn/plugin'
import type { Reply } from '@posthorn/reply'
import type { DeliveryContext } from './delivery-context.ts'
import { reportsTo } from './owed.ts'
import { mishap } from './shipment.ts'
import type { Site } from './site.ts'

/** What the outward hooks say of one recipient of one attempt. */
export type Course =
  | { readonly do: 'go'; readonly route: Route; readonly returnPath: Mailbox | null }
  | { readonly do: 'stop'; readonly outcome: Outcome }
  | { readonly do: 'wait'; readonly ms: number; readonly why: string }
  | { readonly do: 'hold'; readonly why: string }

/** Whether any of the hooks that decide about an attempt is listened to: if not, asking can be spared. */
export const asksOutward = (chain: Chain): boolean =>
  chain.has('route') || chain.has('returnPath') || chain.has('attempt')

/** Ask `route`, `returnPath` and `attempt`, in this order. A plugin that fails postpones this one delivery. */
export const courseOf = (chain: Chain, claim: Claim, site: Site, ctx: DeliveryContext): Awaitable<Course> =>
  andThen(chain.claim('route', claim.to, ctx), route => {
    if (route !== undefined && 'failed' in route) return stopFor(route.plugin, 'route')
    const way = route === undefined ? site.route : site.known(route)
    if (way !== undefined) return onItsWay(chain, claim, way, ctx)
    return { do: 'stop', outcome: mishap('route', `no route for ${site.key}`, { notTried: true }) }
  })

const onItsWay = (chain: Chain, claim: Claim, route: Route, ctx: DeliveryContext): Awaitable<Course> =>
  andThen(chain.claim('returnPath', claim.to, ctx), path => {
    if (path !== undefined && 'failed' in path) return stopFor(path.plugin, 'returnPath')
    return andThen(chain.decide('attempt', route, ctx), (verdict): Course => {
      if (isStop(verdict)) return { do: 'stop', outcome: refusal(stopReply(verdict)) }
      if ('wait' in verdict) return { do: 'wait', ms: Math.max(0, verdict.wait), why: verdict.why }
      if ('hold' in verdict) return { do: 'hold', why: verdict.hold }
      return { do: 'go', route, returnPath: path ?? reportsTo(claim) }
    })
  })

const stopFor = (plugin: string, hook: string): Course => ({
  do: 'stop',
  outcome: mishap('route', `plugin ${plugin} failed in ${hook}`, { notTried: true }),
})

/** A policy's refusal counts as an attempt, since it was decided about the message; a policy that failed decided nothing. */
const refusal = (reply: Reply<4 | 5>): Outcome => ({
  fate: reply.class === 5 ? 'failed' : 'deferred',
  phase: 'route',
  cause: reply.lines.join(' '),
  status: reply.enhanced,
  ...(reply === policyFailure ? { notTried: true } : undefined),
})
