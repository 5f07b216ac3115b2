import type { Clock, Random } from '@posthorn/contracts'
import { dateTime, newMessageId } from '@posthorn/message'
import { definePlugin } from '@posthorn/plugin'
import type { Plugin } from '@posthorn/plugin'

export interface FixUpsOptions {
  /** Our own name, for the Message-ID. */
  readonly hostname: string
  readonly clock: Clock
  readonly random: Random
}

/** Would tell every recipient who the hidden ones are (RFC 5322 §3.6.3). */
const hidden = ['bcc', 'resent-bcc']

/**
 * What a submission server may mend in mail of its own users (RFC 6409 §8): a missing Date (§8.2) and Message-ID (§8.3) are added,
 * Bcc is taken out. Mail of any other origin keeps its bytes.
 */
export const fixUps = ({ hostname, clock, random }: FixUpsOptions): Plugin =>
  definePlugin({
    name: 'fix-ups',
    setup: () => ({
      stamp: ({ headers }, { origin }) => {
        if (origin !== 'submission') return undefined
        const prepend: (readonly [string, string])[] = []
        if (headers.count('date') === 0) prepend.push(['Date', dateTime(clock.wall())])
        if (headers.count('message-id') === 0)
          prepend.push(['Message-ID', newMessageId(random, clock.wall(), hostname)])
        const remove = hidden.filter(name => headers.count(name) > 0)
        return prepend.length + remove.length === 0 ? undefined : { prepend, remove }
      },
    }),
  })
