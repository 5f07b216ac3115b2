import { beforeAll, describe, expect, test } from 'vitest'
import { suite } from '../peers/needs.ts'
import { startNextHop, type NextHop } from '../peers/next-hop.ts'
import type { Running } from '../peers/posthorn.ts'
import { pythonReport, type PythonReport } from '../peers/python.ts'
import { makeSite, type Site } from '../peers/site.ts'
import { talk } from '../peers/talk.ts'
import { teardown } from '../peers/teardown.ts'

/** What a recipient that was handed on has with it: `rcpt NOTIFY ORCPT`, `-` for what is absent. */
type Handed = string
/** `action final-recipient original-recipient`, `-` for what is absent. */
type Told = string

/** One recipient, what is asked for it, and what then has to happen. */
interface Case {
  /** Section of RFC 3461, and what it says. */
  readonly says: string
  readonly rcpt: string
  readonly asked?: string
  /** By a next hop with DSN, and by one without. */
  readonly handed?: readonly Handed[]
  /** Reports of ours, when the next hop has DSN. */
  readonly told?: readonly Told[]
  /** And when it has not; the same when absent. */
  readonly toldWithout?: readonly Told[]
  /** The owner of the list hears instead of the sender. */
  readonly reader?: 'owner'
}

const far = 'carl@far.test'
const cases: readonly Case[] = [
  { says: '§4.1: without NOTIFY success is not told', rcpt: far, handed: [`${far} - -`] },
  {
    says: '§4.1: without NOTIFY failure is told',
    rcpt: 'nobody@far.test',
    told: ['failed rfc822; nobody@far.test -'],
  },
  { says: '§4.1: NEVER means never', rcpt: 'nobody@far.test', asked: 'NOTIFY=NEVER' },
  { says: '§4.1: SUCCESS alone does not ask for failures', rcpt: 'nobody@far.test', asked: 'NOTIFY=SUCCESS' },
  {
    says: '§4.2: ORCPT comes back as it was given',
    rcpt: 'nobody@far.test',
    asked: 'ORCPT=rfc822;Carl+2BX@old.test',
    told: ['failed rfc822; nobody@far.test rfc822; Carl+X@old.test'],
  },
  {
    says: '§5.2.1, §5.2.2: NOTIFY and ORCPT are passed on, or a next hop without DSN is told of as "relayed"',
    rcpt: far,
    asked: 'NOTIFY=SUCCESS,FAILURE ORCPT=x400;/s+3Dcarl/',
    handed: [`${far} success,failure x400;/s=carl/`],
    toldWithout: [`relayed rfc822; ${far} x400; /s=carl/`],
  },
  { says: '§5.2.2: NEVER is not told of as "relayed"', rcpt: far, asked: 'NOTIFY=NEVER', handed: [`${far} never -`] },
  {
    says: '§5.2.3: delivery into a mailbox of ours is told to who asked',
    rcpt: 'bob@example.org',
    asked: 'NOTIFY=SUCCESS ORCPT=rfc822;robert@example.org',
    told: ['delivered rfc822; bob@example.org rfc822; robert@example.org'],
  },
  { says: '§5.2.3: and to nobody else', rcpt: 'bob@example.org', asked: 'NOTIFY=FAILURE,DELAY' },
  {
    says: '§5.2.7.1: taken by a list is delivered, and its members inherit nothing',
    rcpt: 'list@example.org',
    asked: 'NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;list@example.org',
    handed: ['carl@far.test - -', 'dora@far.test - -'],
    told: ['delivered rfc822; list@example.org rfc822; list@example.org'],
  },
  {
    says: '§5.2.7.1: what fails behind a list is told to its owner, whatever the sender asked',
    rcpt: 'broken-list@example.org',
    asked: 'NOTIFY=NEVER',
    reader: 'owner',
    told: ['failed rfc822; nobody@far.test -'],
  },
  {
    says: '§5.2.7.2: an alias with one member passes everything on, and its own name as ORCPT',
    rcpt: 'away@example.org',
    asked: 'NOTIFY=SUCCESS',
    handed: [`${far} success rfc822;away@example.org`],
    toldWithout: [`relayed rfc822; ${far} rfc822; away@example.org`],
  },
  {
    says: '§5.2.7.2: and ORCPT where there is one',
    rcpt: 'away@example.org',
    asked: 'NOTIFY=FAILURE ORCPT=rfc822;sales@old.test',
    handed: [`${far} failure rfc822;sales@old.test`],
  },
  {
    says: '§5.2.7.2: one that leads to nobody names the address that the sender used',
    rcpt: 'lost@example.org',
    told: ['failed rfc822; nobody@far.test rfc822; lost@example.org'],
  },
  {
    says: '§5.2.7.3 (c): an alias with several members is "expanded", and no member reports success',
    rcpt: 'both@example.org',
    asked: 'NOTIFY=SUCCESS,FAILURE',
    handed: [`${far} failure rfc822;both@example.org`],
    told: ['expanded rfc822; both@example.org -'],
  },
  {
    says: '§5.2.7.3 (c): where SUCCESS was all, members are asked for nothing',
    rcpt: 'both@example.org',
    asked: 'NOTIFY=SUCCESS ORCPT=rfc822;team@old.test',
    handed: [`${far} never rfc822;team@old.test`],
    told: ['expanded rfc822; both@example.org rfc822; team@old.test'],
  },
  {
    says: '§5.2.7.3: without SUCCESS nothing is told of the expansion',
    rcpt: 'both@example.org',
    asked: 'NOTIFY=FAILURE',
    handed: [`${far} failure rfc822;both@example.org`],
  },
]

const body = (port: number): string => `
  mailboxes: ['ann', 'bob', 'owner'],
  aliases: { away: '${far}', lost: 'nobody@far.test', both: ['bob', '${far}'] },
  trusted: ['127.0.0.0/8'],
  outbound: { smarthost: { host: '127.0.0.1', port: ${port}, tls: 'never' } },
  plugins: [lists],`
const head = `
import { parseMailbox } from '@posthorn/address'
import { definePlugin } from '@posthorn/plugin'
const lists = definePlugin({
  name: 'lists',
  setup: () => ({
    resolve: {
      order: 'early',
      run: ({ to }) => {
        const members = { list: ['carl@far.test', 'dora@far.test'], 'broken-list': ['nobody@far.test'] }[to.local]
        const returnPath = parseMailbox('owner@example.org')
        return members && { expand: members.map(m => ({ to: parseMailbox(m) })), returnPath }
      },
    },
  }),
})`

const subject = (n: number): string => `case ${n}.`
const envid = (n: number): string => `env-${n}`

/** Send one message for each case, all in one session. */
const sendAll = async (port: number): Promise<void> => {
  const t = await talk(port)
  const say = async (line: string, code: string): Promise<void> =>
    expect(`${line}: ${await t.say(line)}`).toContain(`: ${code}`)
  await say('EHLO client.test', '250')
  for (const [n, { rcpt, asked = '' }] of cases.entries()) {
    await say(`MAIL FROM:<ann@example.org> RET=HDRS ENVID=${envid(n)}`, '250')
    await say(`RCPT TO:<${rcpt}> ${asked}`.trimEnd(), '250')
    await say('DATA', '354')
    await say(`From: ann@example.org\r\nSubject: ${subject(n)}\r\n\r\nsecret\r\n.`, '250')
  }
  t.cut()
}

const toldBy = ({ status: [, ...recipients] }: PythonReport): readonly Told[] =>
  recipients.map(r => [r['action'], r['final-recipient'], r['original-recipient'] ?? '-'].join(' '))

const handedTo = (hop: NextHop, n: number): readonly Handed[] =>
  hop.handed
    .filter(mail => mail.subject === subject(n))
    .flatMap(({ transaction }) => transaction.recipients)
    .map(({ to, notify = '-', orcpt = '-' }) => `${to.wire} ${String(notify)} ${orcpt}`)

for (const dsn of [true, false])
  suite(
    `RFC 3461, relaying to a server ${dsn ? 'with' : 'without'} DSN, the reports read by Python`,
    ['python3'],
    () => {
      let site: Site
      let hop: NextHop
      const reports = new Map<string, readonly PythonReport[]>()
      const undo = teardown()
      beforeAll(async () => {
        hop = await startNextHop({ dsn })
        undo(() => hop.stop())
        site = await makeSite({ head, body: body(hop.port) })
        undo(() => site.remove())
        const running: Running = await site.start()
        undo(() => running.stop())
        await sendAll(running.port('mx'))
        await site.drained()
        for (const reader of ['ann', 'owner'])
          reports.set(reader, await Promise.all(site.messages(reader).map(text => pythonReport(text))))
      })
      const about = (n: number, reader: string): readonly PythonReport[] =>
        reports.get(reader)?.filter(report => report.original.includes(`Subject: ${subject(n)}\n`)) ?? []

      describe.each(cases.map((c, n) => ({ ...c, n })))('$says ($rcpt $asked)', c => {
        const { n, handed = [], told = [], reader } = c
        test('what the next hop is asked for', () => {
          const without = handed.map(text => `${text.split(' ')[0]} - -`)
          expect(handedTo(hop, n).toSorted()).toEqual(dsn ? handed : without)
          const fromList = c.rcpt.includes('list')
          for (const { transaction } of hop.handed.filter(mail => mail.subject === subject(n))) {
            expect(transaction.envid).toBe(dsn && !fromList ? envid(n) : undefined)
            expect(transaction.ret).toBe(dsn && !fromList ? 'hdrs' : undefined)
            expect(transaction.sender?.wire).toBe(fromList ? 'owner@example.org' : 'ann@example.org')
          }
        })
        test('what is reported, and to whom', () => {
          const heard = about(n, reader ?? 'ann')
          expect(heard.flatMap(toldBy)).toEqual(dsn ? told : (c.toldWithout ?? told))
          expect(about(n, reader === 'owner' ? 'ann' : 'owner')).toEqual([])
          for (const report of heard) {
            expect(report).toMatchObject({ defects: [], reportType: 'delivery-status', returnPath: '<>' })
            expect(report.status[0]?.['original-envelope-id']).toBe(reader === 'owner' ? undefined : envid(n))
            // The owner of a list said nothing of RET.
            expect(report.original.includes('secret')).toBe(reader === 'owner')
          }
        })
      })
    },
  )
