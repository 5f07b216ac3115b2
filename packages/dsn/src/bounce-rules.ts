/** Why mail is not taken, in the words that operators use. `other` when no rule knew. */
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

/** One line of the table; everything given must fit. The first that fits counts. */
export interface BounceRule<C extends string = BounceClass> {
  readonly class: C
  /** Matched against `code enhanced text`, lower case, in one line. */
  readonly text?: RegExp
  /** Enhanced codes, such as `5.1.1`, or a subject as `5.7`, or without the class as `x.1.1`. */
  readonly status?: readonly string[]
  readonly code?: readonly number[]
  /** Where it failed, for failures without a reply. */
  readonly phase?: readonly string[]
}

/**
 * What receivers say, the particular before the general: the text knows more than the enhanced code, which is often 5.7.1 or
 * 5.0.0 for everything, and that knows more than the code (RFC 3463; the registry of RFC 5248).
 */
export const bounceRules: readonly BounceRule[] = [
  { class: 'message-expired', status: ['x.4.7'] },
  { class: 'virus-related', text: /\bvirus|malware|trojan|infected\b/ },
  {
    class: 'prohibited-attachment',
    text: /attachment|file (?:type|extension)|executable (?:content|file)|552 5\.7\.0 this message was blocked/,
  },
  {
    class: 'quota-issues',
    text: /quota|mailbox (?:is )?full|over ?limit|out of storage|insufficient (?:system )?storage|mail ?box size/,
  },
  {
    class: 'inactive-mailbox',
    text: /inactive|disabled|suspended|no longer (?:active|available|valid|in use)|deactivated|account (?:is )?(?:closed|locked)/,
  },
  {
    class: 'spam-block',
    text: /block ?list|black ?list|deny ?list|spamhaus|spamcop|barracuda|dnsbl|\brbl\b|listed (?:at|in|on|by)|sender (?:ip )?reputation|poor reputation|banned sending ip/,
  },
  {
    class: 'authentication-failed',
    text: /dmarc|\bspf\b|\bdkim\b|unauthenticated (?:email|mail|sender)|not authenticated/,
  },
  { class: 'spam-content', text: /\bspam\b|unsolicited|junk mail|\bube\b|\buce\b/ },
  {
    class: 'relaying-issues',
    text: /relay(?:ing)? (?:access )?(?:is )?(?:denied|not (?:permitted|allowed)|prohibited)|not permitted to relay|unable to relay|we do not relay|authentication (?:is )?required/,
  },
  { class: 'too-many-recipients', text: /too many recipients/, status: ['x.5.3'] },
  {
    class: 'bad-mailbox',
    text: /(?:user|recipient|mailbox|address|account|alias)\b.{0,60}?\b(?:unknown|not found|does ?n[o']t exist|does not exist|not exist|unavailable|invalid|rejected)|(?:unknown|no such|invalid|bad|nonexistent) (?:user|recipient|mailbox|address|local part|account|destination mailbox)|no mailbox (?:here )?by that name/,
    status: ['5.0.0', '5.1.0', '5.1.1', '5.1.2', '5.1.3', '5.2.0', '5.4.1', '5.5.0', '5.7.1'],
  },
  { class: 'bad-mailbox', text: /no such (?:user|mailbox|recipient)|user unknown|unknown user/ },
  {
    class: 'policy-related',
    text: /rate.?limit|too many (?:connections|messages|concurrent)|throttl|grey-?list|try again later|temporarily deferred|unusual rate/,
  },
  { class: 'bad-mailbox', status: ['x.1.1', 'x.1.3', 'x.1.4', 'x.1.6'] },
  { class: 'bad-domain', status: ['x.1.2', 'x.1.10', 'x.4.4'] },
  { class: 'invalid-sender', status: ['x.1.7', 'x.1.8', 'x.7.27'] },
  { class: 'inactive-mailbox', status: ['x.2.1'] },
  { class: 'quota-issues', status: ['x.2.2', 'x.3.1'] },
  { class: 'content-related', status: ['x.2.3', 'x.3.4', 'x.6'] },
  { class: 'no-answer-from-host', status: ['x.4.1'] },
  { class: 'bad-connection', status: ['x.4.2'] },
  { class: 'dns-failure', status: ['x.4.3'] },
  { class: 'routing-errors', status: ['x.4'] },
  { class: 'protocol-errors', status: ['x.5'] },
  { class: 'relaying-issues', status: ['x.7.1'], code: [554], text: /relay/ },
  {
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
  { class: 'policy-related', status: ['x.7'] },
  { class: 'bad-configuration', status: ['x.3.5', 'x.3.2'] },
  { class: 'transient-failure', status: ['4.3', '4.0', '4.2'] },
  { class: 'dns-failure', phase: ['dns'] },
  { class: 'no-answer-from-host', phase: ['connect'] },
  { class: 'routing-errors', phase: ['route'] },
  { class: 'authentication-failed', phase: ['auth'] },
  { class: 'policy-related', phase: ['tls'] },
  { class: 'quota-issues', code: [452, 552] },
  { class: 'protocol-errors', code: [500, 501, 502, 503, 504, 555] },
  { class: 'authentication-failed', code: [530, 534, 535, 538] },
  { class: 'bad-domain', code: [521, 556] },
  { class: 'bad-mailbox', code: [550, 551, 553] },
  { class: 'policy-related', code: [554] },
  { class: 'transient-failure', code: [421, 450, 451, 454, 455] },
  { class: 'bad-connection', phase: ['banner', 'ehlo', 'mail', 'rcpt', 'data', 'dot'] },
]
