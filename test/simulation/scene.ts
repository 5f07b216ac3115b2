import type { ZoneRecords } from '@posthorn/dns'
import type { Random } from '@posthorn/contracts'
import type { Nature } from './organisation.ts'

/**
 * Three organisations: alpha and beta send by MX, gamma through alpha; beta has two nodes on one queue. Aliases lead from one to another, to servers elsewhere, and to
 * where nobody is.
 */
export const organisations: readonly Nature[] = [
  {
    domain: 'alpha.test',
    ip: '10.0.0.1',
    mailboxes: ['ann', 'al'],
    aliases: { team: ['ann', 'bob@beta.test', 'eve@far.test'], away: ['bob@beta.test'] },
    trusted: ['10.0.0.3/32'],
  },
  {
    domain: 'beta.test',
    ip: '10.0.0.2',
    mailboxes: ['bob', 'bea'],
    aliases: { both: ['bob', 'bea'], gone: ['nobody@far.test'], round: ['gil@gamma.test', 'bea'] },
    aide: true,
  },
  {
    domain: 'gamma.test',
    ip: '10.0.0.3',
    mailboxes: ['gil'],
    aliases: { out: ['eve@old.test', 'gil'] },
    smarthost: { host: '10.0.0.1', port: 25 },
  },
]

/** Servers elsewhere, with what they say to EHLO. */
export const elsewhere: readonly {
  readonly name: string
  readonly ip: string
  readonly keywords: readonly string[]
}[] = [
  { name: 'mx1.far.test', ip: '10.1.0.1', keywords: ['PIPELINING', '8BITMIME', 'ENHANCEDSTATUSCODES'] },
  { name: 'mx2.far.test', ip: '10.1.0.2', keywords: ['8BITMIME', 'DSN', 'SIZE 1000000'] },
  { name: 'mx.old.test', ip: '10.1.0.3', keywords: [] },
]

export const zones: Readonly<Record<string, ZoneRecords>> = {
  ...Object.fromEntries(
    organisations.flatMap(({ domain, ip }) => [
      [domain, { mx: [[10, `mx.${domain}`]] }],
      [`mx.${domain}`, { a: [ip] }],
    ]),
  ),
  'far.test': {
    mx: [
      [10, 'mx1.far.test'],
      [20, 'mx2.far.test'],
    ],
  },
  'mx1.far.test': { a: ['10.1.0.1'] },
  'mx2.far.test': { a: ['10.1.0.2'] },
  'old.test': { a: ['10.1.0.3'] },
  'null.test': { mx: [[0, '']] },
  'dead.test': { mx: [[10, 'mx.dead.test']] },
  'mx.dead.test': { a: ['10.9.9.9'] },
  'broken.test': { fails: 'servfail' },
}

/** Everybody who may be written to; those whom nobody can reach are among them. */
const addresses: readonly string[] = [
  'ann@alpha.test',
  'al@alpha.test',
  'ann+x@alpha.test',
  'team@alpha.test',
  'away@alpha.test',
  'bob@beta.test',
  'bea@beta.test',
  'both@beta.test',
  'gone@beta.test',
  'round@beta.test',
  'nobody@beta.test',
  'gil@gamma.test',
  'out@gamma.test',
  'eve@far.test',
  'dan@far.test',
  'nobody@far.test',
  'eve@old.test',
  'nobody@old.test',
  'eve@null.test',
  'eve@nowhere.test',
  'eve@dead.test',
  'eve@broken.test',
]
/** Users of ours, who hand in where they live. */
export const insiders: readonly string[] = ['ann@alpha.test', 'al@alpha.test', 'bob@beta.test', 'gil@gamma.test']
/** Senders elsewhere, who speak to port 25 of an organisation. The empty one is the null path. */
export const outsiders: readonly string[] = ['eve@far.test', 'dan@old.test', 'spammer@far.test', '']

/** Up to four different recipients; for an outsider those of one organisation. */
export const recipientsOf = (random: Random, domain: string | undefined): readonly string[] => {
  const choice = addresses.filter(a => domain === undefined || a.endsWith(`@${domain}`))
  const chosen = new Set<string>()
  for (let n = 1 + random.int(4); n > 0; n--) chosen.add(choice[random.int(choice.length)] ?? '')
  return [...chosen]
}

/** An address and all that it leads to on the way to where its mail ends. */
export const wayOf = (rcpt: string, depth = 0): readonly string[] => {
  const [local = '', domain = ''] = rcpt.split('@')
  const targets = organisations.find(o => o.domain === domain)?.aliases[local] ?? []
  if (depth > 5) return [rcpt]
  return [rcpt, ...targets.flatMap(t => wayOf(t.includes('@') ? t : `${t}@${domain}`, depth + 1))]
}

/** Where mail for an address ends: mailboxes by organisation, and addresses elsewhere. The rules are told here a second time on purpose. */
export const endsOf = (rcpt: string, depth = 0): readonly string[] => {
  const [local = '', domain = ''] = rcpt.split('@')
  const organisation = organisations.find(o => o.domain === domain)
  const targets = organisation?.aliases[local]
  if (targets === undefined || depth > 5) return [rcpt]
  return [...new Set(targets.flatMap(t => endsOf(t.includes('@') ? t : `${t}@${domain}`, depth + 1)))]
}

/** The mailbox of an address of ours; undefined elsewhere and where nobody is. */
export const mailboxOf = (rcpt: string): { readonly host: string; readonly place: string } | undefined => {
  const [local = '', domain = ''] = rcpt.split('@')
  const place = local.split('+')[0] ?? ''
  const organisation = organisations.find(o => o.domain === domain)
  return organisation?.mailboxes.includes(place) === true ? { host: `mx.${domain}`, place } : undefined
}
