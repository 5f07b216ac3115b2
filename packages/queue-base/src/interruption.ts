/*
 * A message whose attempt hangs or crashes the process is due again as soon as the process is gone, and would take down the next as
 * well, for ever. Which message it was nobody saw: all that its process had in hand is interrupted with it. So what is in hand again
 * and again becomes a suspect, and suspects are tried apart from one another: what is innocent gets through at its next try, and what is
 * not is alone when the process dies once more. Only an interruption without another suspect counts further, and only several of them
 * put a message on hold: a process that is killed for other reasons does not meet the same lone message each time.
 */

/** A delivery whose lease ended without a word of its owner, as it was before that. */
export interface Interrupted {
  /** Deliveries of one message are suspected together. */
  readonly message: number | string
  /** How often in a row before this. */
  readonly interrupted: number
  readonly due: number
}

/** What becomes of a suspect. */
export interface Sentence {
  readonly interrupted: number
  /** When it is tried again, if it is not held. */
  readonly due: number
  readonly held: boolean
  /** For the operator. */
  readonly why: string
}

/** So many interruptions in a row, in whatever company, make a suspect. */
const suspectAfter = 5
/** So many are enough to hold it, the last three being without another suspect. */
const heldAfter = 8
/** Before a suspect is tried again, in ms: four times as long each time. */
const shortestDelay = 5_000
const longestDelay = 3_600_000
/** Suspects of one recovery come due at so many different times; where they are more, each crash divides them again. */
const slots = 16

/** Whether a delivery is a suspect from this interruption on; otherwise it is due as it was. */
export const isSuspect = ({ interrupted }: Pick<Interrupted, 'interrupted'>): boolean => interrupted + 1 >= suspectAfter

/** What becomes of all suspects that were found in one recovery, in their order; times in ms. */
export const judgeSuspects = (suspects: readonly Interrupted[], now: number): readonly Sentence[] => {
  const messages = [...new Set(suspects.map(s => s.message))]
  const slotOf = new Map(messages.map((message, i) => [message, i % slots]))
  const alone = messages.length === 1
  return suspects.map(s => {
    const interrupted = alone || s.interrupted < suspectAfter ? s.interrupted + 1 : s.interrupted
    const delay = Math.min(longestDelay, shortestDelay * 4 ** (interrupted - suspectAfter))
    const due = now + delay + ((slotOf.get(s.message) ?? 0) * delay) / slots
    const times = `the process that had it in hand hung or died ${interrupted} times`
    return alone && interrupted >= heldAfter
      ? {
          interrupted,
          due: s.due,
          held: true,
          why: `${times}, at last with no other suspect: a plugin may not bear it`,
        }
      : {
          interrupted,
          due: Math.max(s.due, Math.ceil(due)),
          held: false,
          why: `${times}: it is tried apart from others`,
        }
  })
}
