import type { Other } from './compare.ts'

/** Why a server differs, by transcript. A difference without an entry fails the suite, and so does an entry without a difference. */
type Reasons = Readonly<Record<string, Readonly<Partial<Record<Other, string>>>>>

/** All that is said in words. */
export interface Explanations {
  readonly reasons: Reasons
  /** What an operator should know before anything else, and the transcripts that show it. */
  readonly inShort: readonly { readonly text: string; readonly see: readonly string[] }[]
}

// Said of several transcripts.
const postfix = {
  lenient:
    'reads envelope addresses as it reads those of headers, and repairs what it can; `strict_rfc821_envelopes = yes` is closer to us',
  noHelp: 'has no HELP',
  unsupported: 'says 555 of a value that it cannot read as well as of a parameter that it does not know',
  xtext: 'checks xtext loosely, and takes empty and repeated words, small hexadecimal digits, controls and any length',
  relay: 'says 554 where it does not relay',
  newlines: 'keeps a bare CR or LF as it came, unless `smtpd_forbid_bare_newline = yes` (3.7.9 and later)',
  smuggled:
    '**takes this for the end of the message and what follows for a second one**: smuggling, which `smtpd_forbid_bare_newline = yes` (3.7.9 and later, the default from 3.9) stops',
  names: 'takes any name; `reject_invalid_helo_hostname` does not',
  utf8: 'takes addresses beyond ASCII from those who do not say SMTPUTF8; `strict_smtputf8 = yes` does not',
} as const
const exim = {
  literals: 'takes address literals only with `allow_domain_literals`',
  parameters: 'takes what it does not know behind an address for part of it: 501, a malformed address',
  loose: 'does not look at the values',
  vrfy: 'wants a whole address, and an ACL that allows it',
  newlines: 'takes a bare CR or LF within a message, and makes line ends of them',
  utf8: 'takes addresses beyond ASCII from those who do not say SMTPUTF8',
  unread: 'says 500 of a MAIL or RCPT that it cannot read',
} as const
const openSmtpd = {
  unread: 'says 500 of a MAIL or RCPT that it cannot read',
  syntax: 'says 553 5.1.0 of a bad sender',
  quoted: 'knows no quoted local parts, which are rare and lawful',
  unsupported: 'says 503 of parameters and values that it does not know',
  loose: 'does not look at the values',
  notify: 'keeps NOTIFY of a recipient that it refused for those that follow',
  once: 'wants EHLO once in a session, and so keeps the transaction: say RSET instead',
  missing: 'has neither VRFY, EXPN nor ETRN, and RSET only after EHLO',
  strict: 'wants a command to be just that, without arguments and spaces at its end, and says 500',
  newlines: 'takes a bare CR or LF within a message',
  ends: '**takes this for the end of the message**, and what follows for pipelining, which it does not offer: it closes',
  unknown: 'says 524 5.2.4 of a recipient whom its table does not have',
} as const

const reasons: Reasons = {
  'address-domains': {
    Postfix: postfix.lenient,
    OpenSMTPD: `${openSmtpd.syntax}, and takes underscores and bare names`,
  },
  'address-dots': { Postfix: postfix.lenient, Exim: 'takes dots anywhere', OpenSMTPD: openSmtpd.syntax },
  'address-lengths': {
    Postfix: 'has no limit for local parts',
    Exim: 'has no limit for local parts, nor for labels',
    OpenSMTPD: `has a longer limit for local parts; ${openSmtpd.syntax}`,
  },
  'address-literals': {
    Postfix: 'takes IPv6 only with its tag; we take any literal that the grammar allows',
    Exim: exim.literals,
    OpenSMTPD: `${openSmtpd.syntax}, and takes an address without brackets for a domain`,
  },
  'address-quotes': { OpenSMTPD: openSmtpd.quoted },
  'address-specials': {
    Postfix: postfix.lenient,
    Exim: 'reads comments and backslashes as in headers',
    OpenSMTPD: `${openSmtpd.syntax}, and takes a colon`,
  },
  'arguments-where-none': { Postfix: 'ignores what follows QUIT', OpenSMTPD: openSmtpd.strict },
  'auth-not-offered': {
    Postfix: 'says 503 of AUTH where it is not offered',
    Exim: 'says 503 of AUTH where it is not offered',
    OpenSMTPD: 'says 503 of AUTH where it is not offered',
  },
  'auth-parameter-not-offered': {
    Postfix: 'takes AUTH= of MAIL also where it offers no AUTH, and ignores it',
    Exim: 'takes AUTH= of MAIL also where it offers no AUTH, and ignores it',
    OpenSMTPD: 'takes AUTH= of MAIL also where it offers no AUTH, and ignores it',
  },
  'before-hello': { Postfix: postfix.noHelp, Exim: exim.vrfy, OpenSMTPD: openSmtpd.missing },
  'body-forms': { Postfix: postfix.unsupported, Exim: exim.loose, OpenSMTPD: openSmtpd.unsupported },
  'case-and-space': { OpenSMTPD: openSmtpd.strict },
  'data-bare-cr': { Postfix: postfix.newlines, Exim: exim.newlines, OpenSMTPD: openSmtpd.newlines },
  'data-bare-lf': { Postfix: postfix.newlines, Exim: exim.newlines, OpenSMTPD: openSmtpd.newlines },
  'data-bare-lf-header': { Postfix: postfix.newlines, Exim: exim.newlines, OpenSMTPD: openSmtpd.newlines },
  'data-before-rcpt': { Postfix: 'says 554 of DATA without recipients, whether there was a RCPT or not' },
  'data-no-header': { OpenSMTPD: 'refuses what is no message in the sense of RFC 5322; we leave that to policy' },
  'ehlo-bad-name': { Postfix: postfix.names },
  'row-29-ehlo-in-transaction': { OpenSMTPD: openSmtpd.once },
  'envid-forms': { Postfix: postfix.xtext, Exim: exim.loose, OpenSMTPD: openSmtpd.loose },
  'harmless-in-transaction': { Postfix: postfix.noHelp, Exim: exim.vrfy, OpenSMTPD: openSmtpd.missing },
  'hello-forged': { Postfix: postfix.names },
  'hello-names': { Exim: 'takes underscores only with `helo_allow_chars`', OpenSMTPD: openSmtpd.once },
  'hello-twice': { OpenSMTPD: openSmtpd.once },
  'helo-in-transaction': { OpenSMTPD: openSmtpd.once },
  idn: { Postfix: 'says 501 of a domain beyond ASCII', Exim: exim.utf8 },
  'line-lengths': {
    Postfix: 'reads the first 2,048 octets (`line_length_limit`) and drops the rest',
    Exim: 'takes command lines of up to 16,384 octets',
    OpenSMTPD: `${openSmtpd.strict}; a line that is too long ends the session`,
  },
  'mail-before-ehlo': { Postfix: 'does not insist on EHLO; `smtpd_helo_required = yes` does' },
  'mail-syntax': {
    Postfix: 'takes an address without its angle brackets; `strict_rfc821_envelopes = yes` does not',
    Exim: `takes an address without its angle brackets, and ${exim.unread}`,
    OpenSMTPD: `${openSmtpd.syntax}, and takes one without a domain`,
  },
  'mail-unknown-parameter': { Exim: exim.parameters, OpenSMTPD: openSmtpd.unsupported },
  'noop-vrfy-help': {
    Postfix: `${postfix.noHelp}, nor EXPN; ETRN is there and refuses`,
    Exim: `${exim.vrfy}; so do EXPN and ETRN`,
    OpenSMTPD: `${openSmtpd.missing}; ${openSmtpd.strict}`,
  },
  'notify-forms': {
    Postfix: `${postfix.xtext}; ${postfix.unsupported}`,
    Exim: exim.loose,
    OpenSMTPD: openSmtpd.notify,
  },
  'null-sender-forms': {
    Postfix: 'takes all of these for the null path',
    Exim: 'takes a space within it',
    OpenSMTPD: openSmtpd.syntax,
  },
  'orcpt-forms': {
    Postfix: `${postfix.xtext}; ${postfix.unsupported}`,
    Exim: exim.loose,
    OpenSMTPD: 'knows addresses of type rfc822 only, and does not read the xtext',
  },
  'parameters-misplaced': { Exim: exim.parameters, OpenSMTPD: openSmtpd.unsupported },
  'parameters-spaced': {
    Exim: `takes a comment; ${exim.parameters}`,
    OpenSMTPD: `${openSmtpd.unsupported}, and wants no space before them`,
  },
  'pipelined-all-refused': { Postfix: postfix.relay, Exim: 'says 503 of DATA after every recipient was refused' },
  'rcpt-syntax': { Exim: exim.unread, OpenSMTPD: `${openSmtpd.unread}, and 503 of what follows the address` },
  'recipient-some': { Postfix: postfix.relay, OpenSMTPD: openSmtpd.unknown },
  'relay-denied': { Postfix: postfix.relay, Exim: exim.literals, OpenSMTPD: openSmtpd.unknown },
  'requiretls-in-clear': { Exim: exim.parameters, OpenSMTPD: openSmtpd.unsupported },
  'ret-forms': { Postfix: postfix.unsupported, Exim: exim.loose, OpenSMTPD: openSmtpd.loose },
  'row-1-lf-dot-lf': { Postfix: postfix.smuggled, Exim: exim.newlines, OpenSMTPD: openSmtpd.ends },
  'row-17-data-after-refused-rcpts': {
    Postfix: postfix.relay,
    Exim: 'says 503 of DATA after every recipient was refused',
  },
  'row-2-lf-dot-crlf': { Postfix: postfix.smuggled, Exim: exim.newlines, OpenSMTPD: openSmtpd.ends },
  'row-22-http-get': {
    Postfix: 'closes too, with 221 (`smtpd_forbidden_commands`)',
    Exim: 'says 500 and goes on',
    OpenSMTPD: 'says 500, and closes since something followed',
  },
  'row-31-dsn': { Postfix: postfix.xtext, Exim: exim.loose, OpenSMTPD: openSmtpd.notify },
  'row-35-shell': {
    Postfix: 'repairs the syntax and does not know the mailbox; a leading hyphen it refuses (`allow_min_user`)',
    Exim: 'takes the dots and does not know the mailbox',
    OpenSMTPD: openSmtpd.unknown,
  },
  'row-7-cr-dot-crlf': { Postfix: postfix.newlines, Exim: exim.newlines, OpenSMTPD: openSmtpd.newlines },
  'row-9-nul-in-body': {
    Postfix: 'takes NULs',
    Exim: 'takes NULs',
    OpenSMTPD: 'takes NULs',
  },
  rset: { OpenSMTPD: `${openSmtpd.missing}; ${openSmtpd.strict}` },
  'size-forms': { Postfix: postfix.unsupported, Exim: 'reads as many digits as there are', OpenSMTPD: openSmtpd.loose },
  'size-too-big': {
    Postfix: 'remembers the size until RSET',
    OpenSMTPD: 'looks at the size of the message itself only',
  },
  'smtputf8-ends-with-its-transaction': { Postfix: postfix.utf8, Exim: exim.utf8 },
  'smtputf8-forms': { Postfix: `takes it twice; ${postfix.unsupported}`, Exim: 'takes it twice' },
  'space-before': {
    Postfix: 'takes spaces anywhere',
    Exim: exim.unread,
    OpenSMTPD: openSmtpd.unread,
  },
  'row-37-utf8-broken': { Postfix: 'says 500 of a line that is not UTF-8', Exim: 'takes surrogates' },
  'row-37-without-smtputf8': { Postfix: postfix.utf8, Exim: exim.utf8 },
}

const inShort: Explanations['inShort'] = [
  {
    text: 'A bare CR or LF and a NUL are refused at the end of the message. Programs that write `\\n` to port 25 must be mended; nothing can be smuggled by them.',
    see: ['data-bare-lf', 'data-bare-cr', 'row-9-nul-in-body', 'row-1-lf-dot-lf'],
  },
  {
    text: 'Addresses follow the grammar of RFC 5321: no dot at either end of a local part nor two in a row, no underscore in a domain, always a domain, always angle brackets.',
    see: ['address-dots', 'address-domains', 'mail-syntax', 'address-specials'],
  },
  {
    text: 'An address beyond ASCII needs SMTPUTF8 of its transaction.',
    see: ['row-37-without-smtputf8', 'smtputf8-ends-with-its-transaction'],
  },
  {
    text: 'MAIL needs EHLO before it, and EHLO a name that is a domain or an address literal; an underscore in it is taken.',
    see: ['mail-before-ehlo', 'hello-forged', 'hello-names'],
  },
  {
    text: 'Relaying is denied with 550 5.7.1 and an unknown mailbox with 550 5.1.1, which scripts that look for 554 must learn.',
    see: ['relay-denied', 'recipient-some'],
  },
  {
    text: 'A parameter that was not offered is answered 555, a value that is wrong 501; neither is ignored.',
    see: ['mail-unknown-parameter', 'parameters-misplaced', 'auth-parameter-not-offered', 'size-forms', 'orcpt-forms'],
  },
  {
    text: 'VRFY says 252 to strangers, HELP is there, EXPN and ETRN are not until they are configured.',
    see: ['noop-vrfy-help'],
  },
]

/** For docs/differences.md. */
export const explanations: Explanations = { reasons, inShort }
