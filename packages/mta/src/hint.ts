import type { Outcome, RemoteReply } from '@posthorn/contracts'

/** Characters of a reply that are read. */
const mostText = 1000

/** Whether the text is about coming back at all: "20 messages in 5 minutes" by itself is not. */
const aboutLater = /again|retry|later|come back|wait|delay|defer|gr[ae]y-?list/i
const spelled =
  /\b(?:in|after|for|within|another)\s{1,3}(?:about |at least )?(\d{1,6})\s{0,3}(seconds?|secs?|s|minutes?|mins?|m|hours?|hrs?|h)\b/i
const clocked = /\b(?:in|after|for)\s{1,3}(\d{1,2}):(\d{2}):(\d{2})\b/i

const unitMs: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000 }

/**
 * After how many ms a peer that defers says to come back, as in "greylisted, try again in 300 seconds" or "come back in 00:05:00";
 * undefined when it says nothing of the kind. A peer may write anything: the caller bounds what it does with that.
 */
export const hintedPause = ({ lines }: Pick<RemoteReply, 'lines'>): number | undefined => {
  const text = lines.join(' ').slice(0, mostText)
  if (!aboutLater.test(text)) return undefined
  const [, count, unit = ''] = spelled.exec(text) ?? []
  if (count !== undefined) return Number(count) * (unitMs[unit.slice(0, 1).toLowerCase()] ?? 1000)
  const [, hours, minutes, seconds] = clocked.exec(text) ?? []
  if (hours === undefined) return undefined
  return Number(hours) * 3_600_000 + Number(minutes) * 60_000 + Number(seconds) * 1000
}

/** A deferral of this sender and recipient together, which says nothing of how busy the peer is. */
export const isGreylisting = ({ reply }: Pick<Outcome, 'reply'>): boolean =>
  reply !== undefined && /gr[ae]y-?list/i.test(reply.lines.join(' ').slice(0, mostText))
