import type { Mailbox } from '@posthorn/address'
import { recipientsOf } from '@posthorn/plugin'
import type { Host, Recipient } from '@posthorn/plugin'
import type { AcceptedRecipient, Clock, Inject, Journal, Outcome, Random, Resolver } from '@posthorn/contracts'
import type { Store } from './environment.ts'

/** What the hosts of plugins are made of. `inject` and `resolve` need the chain, which needs the hosts: they are filled in last. */
export interface HostParts {
  readonly clock: Clock
  readonly random: Random
  readonly resolver: Resolver
  readonly store: Store
  readonly journal: Journal
  readonly signal: AbortSignal
  readonly probe: (rcpt: Mailbox, signal: AbortSignal) => Promise<Outcome>
}
export interface Injector {
  readonly inject: Inject
  readonly resolve: (recipients: readonly Recipient[], sender: Mailbox | null) => Promise<readonly AcceptedRecipient[]>
}

/** What each plugin is given at set-up, by its name. `injector` is asked when a plugin injects, which it can't before the stack is made. */
export const hostsOf =
  (o: HostParts, injector: () => Injector | undefined): ((plugin: string) => Host) =>
  plugin => ({
    kv: o.store.keyValue(plugin),
    dns: o.resolver,
    clock: o.clock,
    random: o.random,
    signal: o.signal,
    log: (level, event, fields) => o.journal.event(`plugin.${plugin}.${event}`, fields, level),
    probe: o.probe,
    inject: async ({ origin, sender, rcpts, bytes }) => {
      const ready = injector()
      if (ready === undefined) throw new Error('nothing can be injected during set-up')
      const named = recipientsOf(rcpts)
      if (named === undefined) throw new TypeError('rcpts of inject has something that is no recipient')
      return ready.inject({ origin, sender, bytes, recipients: await ready.resolve(named, sender) })
    },
    pause: (site, ms, why) => o.store.pause(site, o.clock.wall() + ms, why),
  })
