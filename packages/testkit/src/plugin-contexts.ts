import type { Mailbox } from '@posthorn/address'
import type { Origin, QueueId, SiteKey, TlsFacts } from '@posthorn/contracts'
import { Scope } from '@posthorn/plugin'
import type { OnDelivery, OnEnqueue, OnRcpt, Recipient } from '@posthorn/plugin'

/** Who a test pretends to be. What is left out is an unencrypted, unauthenticated client of the service `mx`. */
export interface Who {
  readonly service?: string
  readonly ip?: string
  readonly port?: number
  readonly helo?: string
  readonly user?: string
  readonly tls?: TlsFacts
}

/** A connection; the slots set on it last as long. */
export class TestConnection extends Scope {
  readonly service: string
  readonly session: string
  readonly ip: string
  readonly port: number
  helo: string
  user: string | undefined
  readonly tls: TlsFacts | undefined

  constructor(session: string, who: Who) {
    super()
    this.session = session
    this.service = who.service ?? 'mx'
    this.ip = who.ip ?? '192.0.2.1'
    this.port = who.port ?? 50_000
    this.helo = who.helo ?? 'client.example'
    this.user = who.user
    this.tls = who.tls
  }
}

/** A mail transaction on a connection; its slots end with it. */
export class TestTransaction extends Scope implements OnRcpt {
  readonly service: string
  readonly session: string
  readonly ip: string
  readonly port: number
  readonly helo: string
  readonly tls: TlsFacts | undefined
  readonly user: string | undefined
  readonly sender: Mailbox | null
  readonly smtputf8: boolean
  readonly requireTls = false
  readonly accepted: Recipient[] = []

  constructor(connection: TestConnection, sender: Mailbox | null, smtputf8: boolean) {
    super(connection)
    this.service = connection.service
    this.session = connection.session
    this.ip = connection.ip
    this.port = connection.port
    this.helo = connection.helo
    this.tls = connection.tls
    this.user = connection.user
    this.sender = sender
    this.smtputf8 = smtputf8
  }
}

/** A message that enters the queue. */
export class TestEnqueue extends Scope implements OnEnqueue {
  readonly queueId: QueueId = 'TESTQUEUEID' as QueueId
  readonly origin: Origin
  readonly user: string | undefined
  readonly sender: Mailbox | null
  readonly rcpts: readonly Recipient[]

  constructor(transaction: TestTransaction, origin: Origin) {
    super()
    this.origin = origin
    this.user = transaction.user
    this.sender = transaction.sender
    this.rcpts = transaction.accepted
  }
}

/** A message that leaves it, to one recipient. */
export class TestDelivery extends Scope implements OnDelivery {
  readonly queueId: QueueId = 'TESTQUEUEID' as QueueId
  readonly origin: Origin
  readonly user: string | undefined
  readonly sender: Mailbox | null
  readonly rcpt: Recipient
  readonly site: SiteKey
  readonly tries: number
  readonly size: number
  readonly tags: readonly string[]

  constructor(transaction: TestTransaction, rcpt: Recipient, o: { readonly origin: Origin } & Outgoing) {
    super()
    this.origin = o.origin
    this.user = transaction.user
    this.sender = transaction.sender
    this.rcpt = rcpt
    this.site = (o.site ?? `mx:${rcpt.to.domain}`) as SiteKey
    this.tries = o.tries ?? 0
    this.size = o.size ?? 1000
    this.tags = o.tags ?? []
  }
}
/** What a test may say of a delivery. */
export interface Outgoing {
  readonly site?: string
  readonly tries?: number
  readonly size?: number
  readonly tags?: readonly string[]
}
