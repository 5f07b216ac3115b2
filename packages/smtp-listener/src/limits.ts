/** What one client may cost. Octets, milliseconds and counts; every one is a bound that a hostile peer meets. */
export interface Limits {
  /** Octets of a message, announced as SIZE (RFC 1870). */
  readonly messageBytes: number
  /** Octets of its header section, which is held in memory. */
  readonly headerBytes: number
  /** RCPT commands accepted in a transaction; at least 100 (RFC 5321 §4.5.3.1.8). */
  readonly recipients: number
  /** How far ahead users may have their mail released (RFC 4865); 0 offers no FUTURERELEASE. */
  readonly futureReleaseMs: number
  /** Octets of a command line with its CR LF; at least 512 (RFC 5321 §4.5.3.1.4). */
  readonly commandLine: number
  /** The same for AUTH and its responses (RFC 4954 §4: at least 12288). */
  readonly authLine: number
  /** Octets of a line that never ends, after which the connection is closed. */
  readonly endlessLine: number
  /** Commands that were unknown, malformed or out of sequence. */
  readonly errors: number
  /** Commands that bring no mail: RSET, NOOP, VRFY and the like, counted from the last message. */
  readonly idleCommands: number
  readonly authFailures: number
  /** RCPT commands refused for good in a session. */
  readonly recipientFailures: number
  /** Mistakes of a session that are answered at once; a wrong password counts for three. */
  readonly tarpitAfter: number
  /** How much later each further mistake is answered than the one before, up to five times that; 0 never waits. */
  readonly tarpitMs: number
  /** How often addresses may expand to addresses. */
  readonly expansionDepth: number
  /** Addresses that one recipient may become. */
  readonly expansions: number
  /** Sessions at a time, in all and from one address. */
  readonly sessions: number
  readonly sessionsPerClient: number
  /** Until a whole command line is there (RFC 5321 §4.5.3.2.7: at least 5 minutes). */
  readonly commandMs: number
  /** From one piece of a message to the next. */
  readonly dataMs: number
  /** For one message in all. */
  readonly messageMs: number
  /** Octets a second that a message must come with, looked at after its first minute of waiting for the client; 0 asks nothing. */
  readonly messageRate: number
  /** For the session in all; a message that is coming in may end first. */
  readonly sessionMs: number
  /** How long to wait before the greeting; a client that speaks meanwhile is refused. 0 greets at once and refuses nobody for it. */
  readonly greetDelayMs: number
  /** For what a proxy has to say. */
  readonly proxyMs: number
  /** In place of `commandMs` and `dataMs` while nearly all sessions are taken; longer than those it has no effect. */
  readonly stressMs: number
  /** For a TLS handshake. */
  readonly tlsMs: number
  /** For an answer of the authenticator. */
  readonly authMs: number
  /** For an answer of plugins and stores altogether; a client waits ten minutes (RFC 5321 §4.5.3.2.6). */
  readonly answerMs: number
}

const minute = 60_000

/** What holds when the service says nothing else. */
export const defaultLimits: Limits = {
  messageBytes: 52_428_800,
  headerBytes: 1_048_576,
  recipients: 1000,
  futureReleaseMs: 0,
  commandLine: 2048,
  authLine: 12_288,
  endlessLine: 262_144,
  errors: 20,
  idleCommands: 100,
  authFailures: 5,
  recipientFailures: 100,
  tarpitAfter: 10,
  tarpitMs: 200,
  expansionDepth: 10,
  expansions: 1000,
  sessions: 10_000,
  sessionsPerClient: 50,
  commandMs: 5 * minute,
  dataMs: 5 * minute,
  messageMs: 30 * minute,
  messageRate: 500,
  sessionMs: 60 * minute,
  greetDelayMs: 0,
  proxyMs: minute / 6,
  stressMs: minute / 6,
  tlsMs: minute,
  authMs: minute / 2,
  answerMs: 10 * minute,
}
