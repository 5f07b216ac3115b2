import type { Mailbox } from '@posthorn/address'
import type { Origin, QueueId } from '@posthorn/contracts'
import { Noting } from '@posthorn/plugin'
import type { OnEnqueue, OnRcpt, Recipient, SignalSource } from '@posthorn/plugin'

/** What `stamp`, `seal` and `queued` see of a message. */
export class EnqueueContext extends Noting implements OnEnqueue {
  readonly queueId: QueueId
  readonly origin: Origin
  readonly user: string | undefined
  readonly sender: Mailbox | null
  readonly envid: string | undefined
  readonly rcpts: readonly Recipient[]

  constructor(
    facts: Pick<OnEnqueue, 'queueId' | 'origin' | 'user' | 'sender' | 'envid' | 'rcpts'>,
    source?: SignalSource,
  ) {
    super(source)
    this.queueId = facts.queueId
    this.origin = facts.origin
    this.user = facts.user
    this.sender = facts.sender
    this.envid = facts.envid
    this.rcpts = facts.rcpts
  }
}

/** What `resolve` sees when it is asked about a recipient that no client named: the message comes from this very host. */
export class InsideContext extends Noting implements OnRcpt {
  readonly service: string
  readonly session: string
  readonly ip = '127.0.0.1'
  readonly port = 0
  readonly helo: string
  readonly tls = undefined
  readonly sender: Mailbox | null
  readonly user: string | undefined
  readonly smtputf8 = true
  readonly requireTls = false
  readonly accepted: readonly Recipient[] = []

  constructor(facts: {
    readonly origin: Origin
    readonly session: string
    readonly hostname: string
    readonly sender: Mailbox | null
    readonly user: string | undefined
  }) {
    super()
    this.service = facts.origin
    this.session = facts.session
    this.helo = facts.hostname
    this.sender = facts.sender
    this.user = facts.user
  }
}
