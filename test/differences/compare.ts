import { readdirSync, readFileSync } from 'node:fs'
import { parseTranscript, type Transcript } from '@posthorn/testkit'
import { makes, type Make } from '../peers/makes.ts'
import { freePort } from '../peers/port.ts'
import { makeSite } from '../peers/site.ts'
import { codeOf, notPlayed, offers, play, type Answer } from './play.ts'
import { shown, turnsOf, type Turn } from './turns.ts'

export type Other = Make['name']
export const others: readonly Other[] = makes.map(make => make.name)

/** One thing that a client says, and what everybody answers; undefined where it was not played. */
export interface Row {
  readonly said: string
  readonly ours: Answer
  readonly theirs: Readonly<Partial<Record<Other, Answer>>>
  /** Who answers with another code. */
  readonly differ: readonly Other[]
}
/** One transcript with the rows in which somebody differs. */
export interface Comparison {
  readonly name: string
  readonly title: string
  readonly turns: number
  readonly rows: readonly Row[]
}
export interface Findings {
  readonly keywords: Readonly<Record<'Posthorn' | Other, ReadonlyMap<string, string>>>
  readonly comparisons: readonly Comparison[]
  /** Where our own program does not answer as the transcript says. */
  readonly faults: readonly string[]
}

interface Portable {
  readonly name: string
  readonly title: string
  /** The keyword that a server must offer. */
  readonly needs: string | undefined
  readonly turns: readonly Turn[]
}

const directory = new URL('../../packages/smtp-listener/test/transcripts/', import.meta.url)
const titleOf = (text: string): string => /^# (.*?)(?:\s{3}.*)?$/m.exec(text)?.[1] ?? ''
const needs = ({ settings }: Transcript): string | undefined => {
  const keyword = settings.get('portable')?.toUpperCase()
  return keyword === 'YES' ? undefined : keyword
}

const portables = (): readonly Portable[] =>
  readdirSync(directory)
    .sort()
    .flatMap(file => {
      const text = readFileSync(new URL(file, directory), 'utf8')
      const transcript = parseTranscript(text)
      if (!transcript.settings.has('portable')) return []
      const name = file.replace('.smtp', '')
      return [{ name, title: titleOf(text), needs: needs(transcript), turns: turnsOf(transcript) }]
    })

const domain = 'example.org'
const mailboxes = ['bob', 'carol', 'postmaster', 'käthe']
/** At a time, for each server: each of them allows so many connections from one address. */
const atOnce = 8

/** Play all of them at one server, a few at a time. */
const playAll = async (
  port: number,
  transcripts: readonly Portable[],
): Promise<ReadonlyMap<string, readonly Answer[]>> => {
  const offered = await offers(port)
  const answers = new Map<string, readonly Answer[]>()
  const waiting = transcripts.filter(t => t.needs === undefined || offered.has(t.needs))
  const worker = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift())
      answers.set(next.name, await play(port, next.turns))
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
  return answers
}

const codes = (answer: Answer): string => answer.map(a => String(codeOf(a) || a)).join()

const compare = (
  { name, title, turns }: Portable,
  ours: readonly Answer[],
  theirs: ReadonlyMap<Other, readonly Answer[] | undefined>,
): Comparison => {
  const rows = turns.map((turn, i): Row => {
    const answers = [...theirs].flatMap(([other, all]) => (all?.[i] === undefined ? [] : [[other, all[i]] as const]))
    return {
      said: shown(turn.said),
      ours: ours[i] ?? [],
      theirs: Object.fromEntries(answers),
      differ: answers
        .filter(([, answer]) => !answer.includes(notPlayed) && codes(answer) !== codes(ours[i] ?? []))
        .map(([other]) => other),
    }
  })
  return { name, title, turns: turns.length, rows: rows.filter(row => row.differ.length > 0) }
}

const faultsOf = ({ name, turns }: Portable, answers: readonly Answer[]): readonly string[] =>
  turns.flatMap(({ said, replies }, i) =>
    codes(answers[i] ?? []) === replies.join()
      ? []
      : [
          `${name}: to ${shown(said)} Posthorn answers ${codes(answers[i] ?? [])}, the transcript has ${replies.join()}`,
        ],
  )

/** Start Posthorn and the others, each with what a server for example.org needs and nothing else, and play the portable transcripts at them. */
export const findDifferences = async (): Promise<Findings> => {
  const transcripts = portables()
  const site = await makeSite({ body: `mailboxes: ${JSON.stringify(mailboxes)},` })
  const stops: (() => unknown)[] = [() => site.remove()]
  try {
    const running = await site.start()
    stops.push(() => running.stop())
    const [certificate, key] = ['crt', 'key'].map(ending =>
      readFileSync(new URL(`../peers/fixtures/rsa.${ending}`, import.meta.url), 'utf8'),
    ) as [string, string]
    const servers = await Promise.all(
      makes.map(async make => {
        const names = make.name === 'OpenSMTPD' ? mailboxes.slice(0, 3) : mailboxes
        const port = await freePort()
        const server = await make.start({
          port,
          hostname: 'mx.example.org',
          domain,
          mailboxes: names,
          certificate,
          key,
        })
        stops.push(() => server.stop())
        return [make.name, server.port] as const
      }),
    )
    const ports = [['Posthorn', running.port('mx')] as const, ...servers]
    const played = await Promise.all(
      ports.map(async ([name, port]) => [name, await playAll(port, transcripts)] as const),
    )
    const keywords = await Promise.all(ports.map(async ([name, port]) => [name, await offers(port)] as const))
    const answersOf = new Map(played)
    const ours = (t: Portable): readonly Answer[] => answersOf.get('Posthorn')?.get(t.name) ?? []
    const theirs = (t: Portable) => new Map(others.map(other => [other, answersOf.get(other)?.get(t.name)] as const))
    return {
      keywords: Object.fromEntries(keywords) as Findings['keywords'],
      comparisons: transcripts.map(t => compare(t, ours(t), theirs(t))),
      faults: transcripts.flatMap(t => faultsOf(t, ours(t))),
    }
  } finally {
    for (const stop of stops.toReversed()) await stop()
  }
}
