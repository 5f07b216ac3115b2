import type { Headers } from '@posthorn/message'
import { definePlugin, pass } from '@posthorn/plugin'
import type { Plugin } from '@posthorn/plugin'
import { routingLoop } from '@posthorn/reply'

export interface LoopGuardOptions {
  /** Our own name, as our trace fields have it after `by`: mail that has been here too often is caught sooner. */
  readonly hostname?: string
  /** More trace fields than this are a loop; 50 when absent, as in Postfix (RFC 5321 §6.3 asks for a large limit, normally 100). */
  readonly maxHops?: number
  /** More of our own than this are one; 10 when absent. Lists and forwards pass a few times without harm. */
  readonly maxOwn?: number
}

/** Refuses mail that goes round in circles, by counting its Received fields, which nobody may remove (RFC 5321 §6.3). */
export const loopGuard = (o: LoopGuardOptions = {}): Plugin => {
  const { maxHops = 50, maxOwn = 10, hostname } = o
  const own = hostname === undefined ? undefined : byField(hostname)
  return definePlugin({
    name: 'loop-guard',
    setup: () => ({
      headers: headers => {
        const hops = headers.count('received')
        if (hops > maxHops) return routingLoop
        // Values are only decoded when there are enough fields for it to matter.
        if (own !== undefined && hops > maxOwn && countOwn(headers, own) > maxOwn) return routingLoop
        return pass
      },
    }),
  })
}

const byField = (hostname: string): RegExp =>
  new RegExp(`(?:^|\\s)by\\s+${hostname.replaceAll(/[^\w-]/g, '\\$&')}(?![\\w.-])`, 'i')

const countOwn = (headers: Headers, own: RegExp): number =>
  headers.all('received').filter(value => own.test(value)).length
