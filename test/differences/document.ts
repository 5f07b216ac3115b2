import { others, type Comparison, type Findings, type Other, type Row } from './compare.ts'
import { closed, codeOf, notPlayed, type Answer } from './play.ts'
import type { Explanations } from './why.ts'

/** What has no reason, and reasons for what is no difference, in words; empty when all is well. */
export const unexplained = (
  { comparisons, faults }: Findings,
  { reasons, inShort }: Explanations,
): readonly string[] => {
  const differing = (c: Comparison): readonly Other[] => others.filter(o => c.rows.some(row => row.differ.includes(o)))
  const pairs = new Set(comparisons.flatMap(c => differing(c).map(other => `${c.name}, ${other}`)))
  const known = new Set(
    Object.entries(reasons).flatMap(([name, by]) => Object.keys(by).map(other => `${name}, ${other}`)),
  )
  const differ = new Set(comparisons.filter(c => c.rows.length > 0).map(c => c.name))
  const astray = inShort.flatMap(({ see }) => see).filter(name => !differ.has(name))
  return [
    ...faults,
    ...astray.map(name => `${name}: test/differences/why.ts points to it, but nothing differs`),
    ...[...pairs]
      .filter(pair => !known.has(pair))
      .map(pair => `${pair}: differs, and test/differences/why.ts does not say why`),
    ...[...known]
      .filter(pair => !pairs.has(pair))
      .map(pair => `${pair}: test/differences/why.ts says why, but nothing differs`),
  ]
}

const cell = (text: string): string => text.replaceAll('|', String.raw`\|`)
const code = (text: string): string => (text === '' ? '(an empty line)' : `\`${cell(text).replaceAll('`', 'ˋ')}\``)
const answers = (answer: Answer | undefined): string =>
  answer === undefined || answer.includes(notPlayed) ? notPlayed : answer.join(', ')
const refused = (answer: Answer | undefined): boolean =>
  (answer?.some(a => codeOf(a) >= 400) ?? false) || answer?.[0] === closed

type Kind = 'here' | 'there' | 'code'
const kindFor = (row: Row, other: Other): Kind => {
  const [us, them] = [refused(row.ours), refused(row.theirs[other])]
  if (us === them) return 'code'
  return us ? 'here' : 'there'
}

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => '---'), ...rows].map(row => `| ${row.join(' | ')} |`).join('\n')

const summary = (comparisons: readonly Comparison[], kind: Kind): string => {
  const rows = comparisons.flatMap(c =>
    c.rows.flatMap(row => {
      const by = row.differ.filter(other => kindFor(row, other) === kind)
      return by.length === 0 ? [] : [[code(row.said), answers(row.ours), by.join(', '), `[${c.name}](#${c.name})`]]
    }),
  )
  return table(['the client says', 'Posthorn', kind === 'here' ? 'taken by' : 'refused by', 'see'], rows)
}

const section = ({ name, title, rows }: Comparison, reasons: Explanations['reasons']): string => {
  const body = rows.map(row => [
    code(row.said),
    answers(row.ours),
    ...others.map(o => (row.differ.includes(o) ? `**${answers(row.theirs[o])}**` : answers(row.theirs[o]))),
  ])
  const why = Object.entries(reasons[name] ?? {}).map(([other, reason]) => `- ${other} ${reason}.`)
  return `### ${name}\n\n${title}\n\n${table(['the client says', 'Posthorn', ...others], body)}\n\n${why.join('\n')}\n`
}

const keywordTable = ({ keywords }: Findings): string => {
  const makes = ['Posthorn', ...others] as const
  const all = [...new Set(makes.flatMap(make => [...keywords[make].keys()]))].sort()
  const shown = (make: (typeof makes)[number], keyword: string): string => {
    const text = keywords[make].get(keyword)
    return text === undefined ? '' : text === keyword ? 'yes' : cell(text.slice(keyword.length + 1))
  }
  return table(
    ['keyword', ...makes],
    all.map(keyword => [keyword, ...makes.map(make => shown(make, keyword))]),
  )
}

/** docs/differences.md. */
export const documentOf = (findings: Findings, { reasons, inShort }: Explanations): string => {
  const differing = findings.comparisons.filter(c => c.rows.length > 0)
  const turns = findings.comparisons.reduce((sum, c) => sum + c.turns, 0)
  const rows = differing.reduce((sum, c) => sum + c.rows.length, 0)
  return `# Differences

How Posthorn answers where Postfix, Exim or OpenSMTPD answer otherwise, for those who come from one of them. \`npm run differences\` writes
this page: it plays ${findings.comparisons.length} of the [transcripts](../packages/smtp-listener/test/transcripts) at all four and
compares the codes. Of ${turns} turns they agree in ${turns - rows}. The interop suite fails when the page is out of date.

All four are servers for example.org with the mailboxes bob, carol, postmaster and, where SMTPUTF8 is offered, käthe; the client is a
stranger; all else is as their makers set it, but that Exim is told to offer DSN and to answer twenty mistakes of a session rather than
three. They are those of Debian 12: Postfix 3.7, Exim 4.96, OpenSMTPD 6.8. A dash means not played: the keyword was not offered, or the
session was over. Bold is what differs.

## In short

${inShort.map(({ text, see }) => `- ${text} (${see.map(name => `[${name}](#${name})`).join(', ')})`).join('\n')}

## What is offered

Before TLS, to a stranger.

${keywordTable(findings)}

## Refused here, taken there

${summary(differing, 'here')}

## Taken here, refused there

${summary(differing, 'there')}

## All of it, and why

${differing.map(c => section(c, reasons)).join('\n')}`
}
