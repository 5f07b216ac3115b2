import type { Json } from './keyvalue.ts'

/** The names of events (`../../../docs/events.md`); a plugin's own are `plugin.<name>.<what>`. */
export type EventName =
  | 'session.opened'
  | 'session.closed'
  | 'session.introduced'
  | 'session.refused'
  | 'auth.ok'
  | 'auth.failed'
  | 'policy.verdict'
  | 'policy.error'
  | 'message.received'
  | 'message.rejected'
  | 'delivery.delivered'
  | 'delivery.relayed'
  | 'delivery.expanded'
  | 'delivery.converted'
  | 'delivery.unchunked'
  | 'delivery.deferred'
  | 'delivery.bounced'
  | 'delivery.unknown'
  | 'delivery.interrupted'
  | 'delivery.held'
  | 'delivery.dropped'
  | 'delivery.delayed'
  | 'delivery.expired'
  | 'delivery.released'
  | 'delivery.retried'
  | 'delivery.rerouted'
  | 'delivery.condemned'
  | 'report.withheld'
  | 'bounce.received'
  | 'complaint.received'
  | 'queue.recovered'
  | 'queue.corrupt'
  | 'queue.full'
  | 'queue.suspended'
  | 'queue.resumed'
  | 'queue.copied'
  | 'certificate.renewed'
  | 'service.ready'
  | 'service.stress'
  | 'service.hung'
  | 'service.draining'
  | 'service.stopped'
  | 'worker.started'
  | 'worker.hung'
  | 'worker.ended'
  | 'config.loaded'
  | 'error'
  | `plugin.${string}`

export type Level = 'debug' | 'info' | 'warn' | 'error'

/** Where components report what happened. Cheap and synchronous; never throws. Secrets and message content never go in. */
export interface Journal {
  event(name: EventName, fields: { readonly [k: string]: Json | undefined }, level?: Level): void
  /** The same with fields bound, such as a session's id. */
  child(fields: { readonly [k: string]: Json }): Journal
}
