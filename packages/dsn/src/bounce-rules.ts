/** Why mail is not taken, in the words that operators use; rules of their own may have others. `other` when no rule knew. */
export type BounceClass =
  | 'bad-mailbox'
  | 'inactive-mailbox'
  | 'quota-issues'
  | 'bad-domain'
  | 'routing-errors'
  | 'bad-connection'
  | 'no-answer-from-host'
  | 'dns-failure'
  | 'bad-configuration'
  | 'protocol-errors'
  | 'relaying-issues'
  | 'authentication-failed'
  | 'invalid-sender'
  | 'too-many-recipients'
  | 'content-related'
  | 'prohibited-attachment'
  | 'spam-content'
  | 'spam-block'
  | 'virus-related'
  | 'policy-related'
  | 'message-expired'
  | 'auto-reply'
  | 'transient-failure'
  | 'other'

/** One rule; everything that it gives must fit. The first rule that fits counts. */
export interface BounceRule {
  /** Told in events with the class. */
  readonly name: string
  /** A `BounceClass`, or one of your own: lower case, digits and dashes. */
  readonly class: string
  /** A pattern (`safePattern`) that is in `code enhanced text`, in lower case and one line, of which 1,000 characters are looked at. */
  readonly text?: string
  /** Enhanced codes, such as `5.1.1`, or a subject as `5.7`, or without the class as `x.1.1`. */
  readonly status?: readonly string[]
  readonly code?: readonly number[]
  /** Where it failed, for failures without a reply. */
  readonly phase?: readonly string[]
  /** Domains of the host that said it; those below fit too. */
  readonly provider?: readonly string[]
}

/**
 * What receivers say, the particular before the general: the text knows more than the enhanced code, which is often 5.7.1 or
 * 5.0.0 for everything, and that knows more than the code (RFC 3463; the registry of RFC 5248).
 */
export const bounceRules: readonly (BounceRule & { readonly class: BounceClass })[] = [
  {
    name: 'outlook-block-list',
    class: 'spam-block',
    provider: ['outlook.com', 'hotmail.com'],
    text: String.raw`\bs3(?:140|150)\b|banned sending`,
  },
  {
    name: 'yahoo-complaints',
    class: 'spam-block',
    provider: ['yahoodns.net', 'yahoo.com'],
    text: String.raw`\btss?0\d\b`,
  },
  {
    name: 'google-rate',
    class: 'policy-related',
    provider: ['google.com'],
    status: ['4.7.28', '4.2.1'],
    code: [421, 450],
  },
  { name: 'expired', class: 'message-expired', status: ['x.4.7'] },
  { name: 'virus', class: 'virus-related', text: String.raw`\bvirus|malware|trojan|infected\b` },
  {
    name: 'attachment-text',
    class: 'prohibited-attachment',
    text: String.raw`attachment|file (?:type|extension)|executable (?:content|file)|552 5\.7\.0 this message was blocked`,
  },
  {
    name: 'quota-text',
    class: 'quota-issues',
    text: String.raw`quota|mailbox (?:is )?full|over ?limit|out of storage|insufficient (?:system )?storage|mail ?box size`,
  },
  {
    name: 'inactive-text',
    class: 'inactive-mailbox',
    text: String.raw`inactive|disabled|suspended|no longer (?:active|available|valid|in use)|deactivated|account (?:is )?(?:closed|locked)`,
  },
  {
    name: 'block-list-text',
    class: 'spam-block',
    text: String.raw`block ?list|black ?list|deny ?list|spamhaus|spamcop|barracuda|dnsbl|\brbl\b|listed (?:at|in|on|by)|sender (?:ip )?reputation|poor reputation|banned sending ip`,
  },
  {
    name: 'unauthenticated-text',
    class: 'authentication-failed',
    text: String.raw`dmarc|\bspf\b|\bdkim\b|unauthenticated (?:email|mail|sender)|not authenticated`,
  },
  { name: 'spam-text', class: 'spam-content', text: String.raw`\bspam\b|unsolicited|junk mail|\bube\b|\buce\b` },
  {
    name: 'relaying-text',
    class: 'relaying-issues',
    text: String.raw`relay(?:ing)? (?:access )?(?:is )?(?:denied|not (?:permitted|allowed)|prohibited)|not permitted to relay|unable to relay|we do not relay|authentication (?:is )?required`,
  },
  { name: 'recipients-text', class: 'too-many-recipients', text: String.raw`too many recipients`, status: ['x.5.3'] },
  {
    name: 'mailbox-text-and-status',
    class: 'bad-mailbox',
    text: String.raw`(?:user|recipient|mailbox|address|account|alias)\b.{0,60}?\b(?:unknown|not found|does ?n[o']t exist|does not exist|not exist|unavailable|invalid|rejected)|(?:unknown|no such|invalid|bad|nonexistent) (?:user|recipient|mailbox|address|local part|account|destination mailbox)|no mailbox (?:here )?by that name`,
    status: ['5.0.0', '5.1.0', '5.1.1', '5.1.2', '5.1.3', '5.2.0', '5.4.1', '5.5.0', '5.7.1'],
  },
  {
    name: 'mailbox-text',
    class: 'bad-mailbox',
    text: String.raw`no such (?:user|mailbox|recipient)|user unknown|unknown user`,
  },
  {
    name: 'rate-text',
    class: 'policy-related',
    text: String.raw`rate.?limit|too many (?:connections|messages|concurrent)|throttl|grey-?list|try again later|temporarily deferred|unusual rate`,
  },
  { name: 'mailbox-status', class: 'bad-mailbox', status: ['x.1.1', 'x.1.3', 'x.1.4', 'x.1.6'] },
  { name: 'domain-status', class: 'bad-domain', status: ['x.1.2', 'x.1.10', 'x.4.4'] },
  { name: 'sender-status', class: 'invalid-sender', status: ['x.1.7', 'x.1.8', 'x.7.27'] },
  { name: 'inactive-status', class: 'inactive-mailbox', status: ['x.2.1'] },
  { name: 'quota-status', class: 'quota-issues', status: ['x.2.2', 'x.3.1'] },
  { name: 'content-status', class: 'content-related', status: ['x.2.3', 'x.3.4', 'x.6'] },
  { name: 'no-answer-status', class: 'no-answer-from-host', status: ['x.4.1'] },
  { name: 'connection-status', class: 'bad-connection', status: ['x.4.2'] },
  { name: 'dns-status', class: 'dns-failure', status: ['x.4.3'] },
  { name: 'routing-status', class: 'routing-errors', status: ['x.4'] },
  { name: 'protocol-status', class: 'protocol-errors', status: ['x.5'] },
  { name: 'relaying-status', class: 'relaying-issues', status: ['x.7.1'], code: [554], text: String.raw`relay` },
  {
    name: 'unauthenticated-status',
    class: 'authentication-failed',
    status: [
      'x.7.8',
      'x.7.9',
      'x.7.20',
      'x.7.21',
      'x.7.22',
      'x.7.23',
      'x.7.24',
      'x.7.25',
      'x.7.26',
      'x.7.29',
      'x.7.30',
    ],
  },
  { name: 'policy-status', class: 'policy-related', status: ['x.7'] },
  { name: 'configuration-status', class: 'bad-configuration', status: ['x.3.5', 'x.3.2'] },
  { name: 'transient-status', class: 'transient-failure', status: ['4.3', '4.0', '4.2'] },
  { name: 'dns-phase', class: 'dns-failure', phase: ['dns'] },
  { name: 'connect-phase', class: 'no-answer-from-host', phase: ['connect'] },
  { name: 'route-phase', class: 'routing-errors', phase: ['route'] },
  { name: 'auth-phase', class: 'authentication-failed', phase: ['auth'] },
  { name: 'tls-phase', class: 'policy-related', phase: ['tls'] },
  { name: 'quota-code', class: 'quota-issues', code: [452, 552] },
  { name: 'protocol-code', class: 'protocol-errors', code: [500, 501, 502, 503, 504, 555] },
  { name: 'auth-code', class: 'authentication-failed', code: [530, 534, 535, 538] },
  { name: 'domain-code', class: 'bad-domain', code: [521, 556] },
  { name: 'mailbox-code', class: 'bad-mailbox', code: [550, 551, 553] },
  { name: 'policy-code', class: 'policy-related', code: [554] },
  { name: 'transient-code', class: 'transient-failure', code: [421, 450, 451, 454, 455] },
  { name: 'conversation-phase', class: 'bad-connection', phase: ['banner', 'ehlo', 'mail', 'rcpt', 'data', 'dot'] },
]
