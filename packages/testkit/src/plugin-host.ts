import type { Clock, Json, KeyValue, Level, Outcome, QueueId, Random, Resolver, SiteKey } from '@posthorn/contracts'
import type { Mailbox } from '@posthorn/address'
import type { Host, Recipient } from '@posthorn/plugin'
import { joinBytes } from '@posthorn/message'

/** What a plugin asked its host to do. */
export interface Asked {
  readonly logs: {
    readonly level: Level
    readonly event: string
    readonly fields: Readonly<Record<string, Json>>
  }[]
  readonly injected: {
    readonly origin: 'list' | 'api'
    readonly sender: Mailbox | null
    readonly rcpts: readonly Recipient[]
    readonly bytes: Uint8Array
  }[]
  readonly paused: { readonly site: SiteKey; readonly ms: number; readonly why: string }[]
  readonly probed: Mailbox[]
}

/** A host for one plugin under test: everything asked of it is noted. */
export const testHost = (o: {
  readonly kv: KeyValue
  readonly dns: Resolver
  readonly clock: Clock
  readonly random: Random
  readonly signal: AbortSignal
  readonly probe: (rcpt: Mailbox) => Outcome
  readonly asked: Asked
}): Host => {
  const { asked, kv, dns, clock, random, signal } = o
  return {
    kv,
    dns,
    clock,
    random,
    signal,
    log: (level, event, fields) => void asked.logs.push({ level, event, fields }),
    probe: async rcpt => {
      asked.probed.push(rcpt)
      return o.probe(rcpt)
    },
    inject: async message => {
      const chunks: Uint8Array[] = []
      for await (const chunk of message.bytes) chunks.push(chunk)
      asked.injected.push({ ...message, bytes: joinBytes(chunks) })
      return `INJECTED${asked.injected.length}` as QueueId
    },
    pause: async (site, ms, why) => void asked.paused.push({ site, ms, why }),
  }
}
