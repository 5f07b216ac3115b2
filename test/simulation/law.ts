import { isReport, tokenOf } from './ledger.ts'
import type { Copy, Ending, Ledger, Letter, Window } from './ledger.ts'
import { endsOf, mailboxOf, wayOf } from './scene.ts'

/** A delivery that is still queued at the end. */
export interface Left {
  readonly host: string
  readonly id: string
  readonly rcpt: string
}

/** One hop of a copy's way: who took it, and by which queue id. */
interface Hop {
  readonly host: string
  readonly id: string
}

/**
 * The law, held against what was seen from outside: for each recipient answered 250 exactly one of queued, delivered or relayed, failed and
 * reported, failed with no report owed, removed by a named operator or policy. Says what broke it.
 */
export const breaches = (ledger: Ledger, left: readonly Left[]): readonly string[] => {
  const said: string[] = []
  const say = (what: string): void => void said.push(what)
  const reports = ledger.copies.filter(copy => isReport(copy.text))
  const copies = ledger.copies.filter(copy => !isReport(copy.text))
  for (const copy of copies) checkCopy(ledger, copy, say)
  for (const report of reports) checkReport(ledger, report, say)
  for (const ending of ledger.endings) checkEnding(ledger, ending, say)
  const byToken = new Map<string, Copy[]>()
  for (const copy of copies) {
    const token = tokenOf(copy.text) ?? ''
    byToken.set(token, [...(byToken.get(token) ?? []), copy])
  }
  for (const letter of ledger.letters.values()) {
    const own = byToken.get(letter.token) ?? []
    for (const end of new Set(letter.recipients.flatMap(({ rcpt }) => endsOf(rcpt)))) {
      const copiesOfEnd = own.filter(copy => sameEnd(copy, end))
      checkDoubles(ledger, letter, end, copiesOfEnd, say)
      checkFate({ ledger, letter, end, copies: copiesOfEnd, reports, left }, say)
    }
  }
  return said
}

const sameEnd = (copy: Copy, end: string): boolean => {
  const mailbox = mailboxOf(end)
  return mailbox === undefined
    ? copy.place === end
    : copy.host === mailbox.host && copy.place === mailbox.place && copy.rcpt === end
}

/** Whole, and for somebody whom its sender wrote to. */
const checkCopy = (ledger: Ledger, copy: Copy, say: (what: string) => void): void => {
  const letter = ledger.letters.get(tokenOf(copy.text) ?? '')
  if (letter === undefined) return say(`a message that nobody wrote is at ${copy.place} of ${copy.host}`)
  if (!copy.text.endsWith(letter.text)) say(`${letter.token} is torn at ${copy.place} of ${copy.host}`)
  const ends = letter.recipients.flatMap(({ rcpt }) => endsOf(rcpt))
  if (!ends.some(end => sameEnd(copy, end)))
    say(`${letter.token} is at ${copy.place} of ${copy.host} for ${copy.rcpt}, who was not written to`)
  if (copy.sender !== letter.sender) say(`${letter.token} from ${letter.sender} arrived as from ${copy.sender}`)
}

interface Told {
  readonly rcpt: string
  readonly action: string
}

const toldIn = (report: string): readonly Told[] =>
  report.split(/\r\n\r\n/).flatMap(block => {
    const rcpt = /^Final-Recipient: *[\w-]+; *(\S+)\r?$/im.exec(block)?.[1]
    const action = /^Action: *(\w+)/im.exec(block)?.[1]?.toLowerCase()
    return rcpt === undefined || action === undefined ? [] : [{ rcpt, action }]
  })

/** To the sender of what it is about, from nobody, and never about a report. */
const checkReport = (ledger: Ledger, report: Copy, say: (what: string) => void): void => {
  const letter = ledger.letters.get(tokenOf(report.text) ?? '')
  if (letter === undefined) return say(`a report on what nobody wrote is at ${report.place} of ${report.host}`)
  if ((report.text.match(/report-type="?delivery-status/gi)?.length ?? 0) > 1)
    say(`a report on a report of ${letter.token}`)
  if (report.sender !== '') say(`a report on ${letter.token} is from ${report.sender}`)
  if (letter.sender === '') say(`a report on ${letter.token}, which has no sender, went to ${report.rcpt}`)
  else if (report.rcpt !== letter.sender)
    say(`a report on ${letter.token} from ${letter.sender} went to ${report.rcpt}`)
  for (const { rcpt, action } of toldIn(report.text))
    if (action === 'failed' && !wants(letter, rcpt))
      say(`${letter.sender} was told of ${letter.token} for ${rcpt}, which it did not want`)
}

/** The letter's recipients that lead to an address. */
const namedFor = (letter: Letter, address: string): Letter['recipients'] =>
  letter.recipients.filter(({ rcpt }) => wayOf(rcpt).includes(address))

/** Whether somebody is to hear that mail for an end failed. */
const wants = (letter: Letter, end: string): boolean =>
  letter.sender !== '' && namedFor(letter, end).some(({ notify }) => notify !== 'never')

/** No bounce without an attempt: whoever gave up had asked the DNS or the disk since the message came. */
const checkEnding = (ledger: Ledger, ending: Ending, say: (what: string) => void): void => {
  const { host, rcpt, id, site, at } = ending
  if (ending.attempt < 1) say(`${host} gave up ${id} for ${rcpt} without an attempt`)
  const what = site.slice(site.indexOf(':') + 1)
  // A smarthost is named by address, and no DNS is asked.
  if (site.startsWith('smtp:')) return
  const tries = ledger.tries.get(`${host} ${what}`) ?? []
  const came = ledger.letters.get(ledger.tokens.get(id) ?? '')
  if (came === undefined) return say(`${host} gave up ${id}, which nobody wrote`)
  if (!tries.some(t => t <= at)) say(`${host} gave up ${id} for ${rcpt} and never tried ${what}`)
  if (ending.from === '' && ending.reported === true) say(`${host} reports on ${id}, which has no sender`)
}

/** The way of a copy, oldest hop first, by its Received fields. */
const hopsOf = (copy: Copy): readonly Hop[] => {
  const head = copy.text.slice(0, copy.text.indexOf('\r\n\r\n')).replaceAll(/\r\n[ \t]+/g, ' ')
  return head
    .split('\r\n')
    .flatMap(line => {
      const [, host, id] = /^Received:.* by (\S+) .*\bid (\w+)/.exec(line) ?? []
      return host === undefined || id === undefined ? [] : [{ host, id }]
    })
    .reverse()
}

/** Each copy after those that are owed needs its excuse where its way parts from that of another. */
const checkDoubles = (
  ledger: Ledger,
  letter: Letter,
  end: string,
  copies: readonly Copy[],
  say: (what: string) => void,
): void => {
  // Two names of one person in one letter may be one copy or two; and it is not said which of all copies are these.
  const names = Math.max(1, namedFor(letter, end).length)
  let unexcused = 0
  for (const [i, copy] of copies.entries()) {
    if (i >= names) ledger.stats.doubled++
    if (copies.slice(0, i).some(other => isExcused(ledger, letter, other, copy))) continue
    if (++unexcused > names) say(`${letter.token} came to ${end} ${copies.length} times without an excuse`)
  }
}

const isExcused = (ledger: Ledger, letter: Letter, first: Copy, second: Copy): boolean => {
  const [a, b] = [hopsOf(first), hopsOf(second)]
  let k = 0
  while (k < a.length && k < b.length && a[k]?.id === b[k]?.id) k++
  // The user handed it in twice, having had no answer or a no. The same id twice in one hop leads here by different aliases.
  if (k === 0) return letter.doubts > 0
  // The store of the next hop kept a message and did not know it: its client was told to come again.
  if (ledger.excuses.some(e => e.window === 'store' && e.id !== undefined && (e.id === a[k]?.id || e.id === b[k]?.id)))
    return true
  const host = a[k - 1]?.host
  // Into a mailbox a copy comes at once; to another host it may be under way when its sender dies.
  const from = k === a.length && host === first.host ? first.at : (ledger.came.get(a[k - 1]?.id ?? '') ?? 0)
  const until = Math.max(...[a[k], b[k]].map(hop => ledger.came.get(hop?.id ?? '') ?? second.at))
  return ledger.excuses.some(
    // That a lease has lapsed is learnt at the end of the attempt that had it, which may be after the other's; or never, when the
    // machine dies first.
    e =>
      e.host === host &&
      e.at >= from &&
      e.at <= until + late[e.window] &&
      (e.id === undefined || e.id === a[k - 1]?.id),
  )
}

/** How long after a second copy its excuse may become known, in ms. */
const late: Readonly<Record<Window, number>> = { crash: 5000, unknown: 0, stale: Infinity, store: 0 }

interface Case {
  readonly ledger: Ledger
  readonly letter: Letter
  readonly end: string
  readonly copies: readonly Copy[]
  readonly reports: readonly Copy[]
  readonly left: readonly Left[]
}

/** Exactly one end for each recipient that was promised. */
const checkFate = (c: Case, say: (what: string) => void): void => {
  const { ledger, letter, end } = c
  const promised = letter.promises.filter(({ rcpt }) => endsOf(rcpt).includes(end))
  if (promised.length === 0) return
  const ids = new Set([...ledger.tokens].filter(([, token]) => token === letter.token).map(([id]) => id))
  const fates = {
    queued: c.left.some(({ id, rcpt }) => ids.has(id) && endsOf(rcpt).includes(end)),
    delivered: c.copies.length > 0,
    reported: isReported(c, ids),
    failed:
      !wants(letter, end) &&
      ledger.failed.some(f => ids.has(f.id) && !ledger.reports.has(f.id) && endsOf(f.rcpt).includes(end)),
    removed:
      [...ids].some(id => ledger.dropped.has(id) && !ledger.reports.has(id)) || ledger.discarded.has(letter.sender),
  }
  const found = Object.entries(fates).flatMap(([name, is]) => (is ? [name] : []))
  if (found.length === 0)
    say(`${letter.token} for ${end} was promised at ${promised.map(p => p.id).join(' ')}, and is lost`)
  // An operator may drop what has been delivered already, and what aliases lead to twice may meet two ends.
  const serious = found.filter(name => name !== 'removed')
  if (serious.length > 1 && !isMuddled(c, ids)) say(`${letter.token} for ${end} is ${found.join(' and ')}`)
}

/** Its sender has the report, or the report itself met its end: it is queued, or could not be delivered, of which nobody is told. */
const isReported = ({ ledger, letter, end, reports, left }: Case, ids: ReadonlySet<string>): boolean => {
  const tells = (text: string): boolean =>
    toldIn(text).some(({ rcpt, action }) => action === 'failed' && endsOf(rcpt).includes(end))
  if (reports.some(r => tokenOf(r.text) === letter.token && r.rcpt === letter.sender && tells(r.text))) return true
  return [...ledger.reports].some(
    ([id, text]) =>
      ids.has(id) &&
      tells(text) &&
      (left.some(l => l.id === id) || ledger.failed.some(f => f.id === id) || ledger.dropped.has(id)),
  )
}

const windows: ReadonlySet<Window> = new Set(['crash', 'unknown', 'stale', 'store'])

/** Two ends are lawful where one of them came in a window: the first try arrived, nobody knew, and the second failed. */
const isMuddled = ({ ledger, letter, end }: Case, ids: ReadonlySet<string>): boolean =>
  letter.doubts > 0 ||
  namedFor(letter, end).length > 1 ||
  ledger.excuses.some(e => windows.has(e.window) && (e.id === undefined || ids.has(e.id)))
