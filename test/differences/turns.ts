import type { Transcript, TranscriptStep } from '@posthorn/testkit'

/** What the client says in one go, and what Posthorn answers to it in the transcript. */
export interface Turn {
  readonly said: Uint8Array
  /** The code of each reply. */
  readonly replies: readonly number[]
}

const joined = (parts: readonly Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts))

/** The last line of a reply: the one that a client waits for. */
const endsReply = (step: TranscriptStep & { do: 'expect' }): boolean => step.match === 'rest' || step.line[3] !== '-'

/** A transcript as turns; the greeting is left out. Throws when it is not one that any server could be played. */
export const turnsOf = (transcript: Transcript): readonly Turn[] => {
  const turns: { said: Uint8Array[]; replies: number[] }[] = []
  let answered = true
  for (const step of transcript.steps) {
    if (step.do === 'event') {
      if (step.name !== 'closed') throw new Error(`line ${step.at}: ${step.name} is nothing that any server does`)
      continue
    }
    if (step.do === 'expect') {
      answered = true
      if (endsReply(step)) turns.at(-1)?.replies.push(Number(step.line.slice(0, 3)))
      continue
    }
    if (answered) turns.push({ said: [], replies: [] })
    answered = false
    turns.at(-1)?.said.push(step.bytes)
  }
  return turns.map(({ said, replies }) => ({ said: joined(said), replies }))
}

/** As a document shows it: one line, not endless, controls as escapes. */
export const shown = (said: Uint8Array): string => {
  const text = Buffer.from(said).toString('utf8')
  const lines = text.split('\r\n').slice(0, -1)
  const inOne = JSON.stringify(lines.join(' ⏎ ')).slice(1, -1).replaceAll('\\"', '"').replaceAll('\\\\', '\\')
  const short = inOne.replaceAll(/([ax])\1{30,}/g, (run, letter: string) => `${letter}…${letter} (${run.length})`)
  return short.length > 160 ? `${short.slice(0, 157)}…` : short
}
