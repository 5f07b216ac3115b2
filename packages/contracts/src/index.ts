export type { Clock, Deadline, Random } from './clock.ts'
export type {
  Certificates,
  CertificatePair,
  Endpoint,
  Network,
  PeerCertificate,
  ServerTls,
  TlsFacts,
  Wire,
  WireReader,
} from './network.ts'
export type { Tlsa, TlsNeed } from './tls.ts'
export type { Answer, Mx, Resolver } from './resolver.ts'
export type { Awaitable, Json, KeyValue } from './keyvalue.ts'
export type { RemoteReply } from '@posthorn/reply'
export type { Outcome, Phase } from './outcome.ts'
export type {
  Attempt,
  Change,
  Claim,
  DeliverBy,
  DeliveryState,
  Draft,
  Envelope,
  Facts,
  Fate,
  Filter,
  FilterField,
  HistoryRow,
  Lease,
  NewMessage,
  NewRecipient,
  Notify,
  Origin,
  Owner,
  Queue,
  QueueEntry,
  QueueId,
  QueueRow,
  Settlement,
  Share,
  SiteKey,
  StoreError,
  Suspended,
  Suspension,
} from './queue.ts'
export type {
  AcceptedRecipient,
  Client,
  Forwarded,
  Destination,
  Disposition,
  ExpandedRecipient,
  Handoff,
  Inject,
  Injection,
  Intake,
  Reception,
  Schedule,
  Transaction,
  Verdict,
} from './intake.ts'
export type { Job, Route, Transport } from './transport.ts'
export type {
  Authenticator,
  Identity,
  Mailboxes,
  SaslAnswer,
  SaslClient,
  SaslExchange,
  SaslService,
  ScramVerifier,
  SenderRights,
} from './authenticator.ts'
export type { EventName, Journal, Level } from './journal.ts'
