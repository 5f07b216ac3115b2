import { dots } from './dots.ts'
import { endlessBodyLine, endlessCommand } from './endless.ts'
import { idleSessions } from './idle.ts'
import { junkBounded, junkUnbounded } from './junk.ts'
import { slowClients } from './slow.ts'
import type { Found } from './subject.ts'

/** Something that a server must bear. */
export interface Case {
  readonly name: string
  /** The sentence that it proves. */
  readonly proves: string
  /** Rejects when it is not so. In full as HOSTILE peers do it, or as much of it as shows the same. */
  readonly run: (full: boolean) => Promise<Found>
}

const GIB = 1_073_741_824

export const cases: readonly Case[] = [
  {
    name: 'junk',
    proves: 'row 28: a session of junk commands is cut after some of them',
    run: full => junkBounded(full ? 1_000_000 : 20_000),
  },
  {
    name: 'junk-unbounded',
    proves: 'row 28: where no budget is set a million of them are answered and nothing is kept',
    run: full => junkUnbounded(full ? 1_000_000 : 100_000),
  },
  {
    name: 'slow',
    proves: 'a thousand clients with an octet a second cost little and harm nobody',
    run: full => slowClients(full ? 1_000 : 300, full ? 60 : 3),
  },
  {
    name: 'endless',
    proves: 'row 27: an endless command line is cut',
    run: full => endlessCommand(full ? GIB : GIB / 16, true),
  },
  {
    name: 'endless-unbounded',
    proves: 'row 27: where no budget is set a line of a gigabyte is read and not kept',
    run: full => endlessCommand(full ? GIB : GIB / 16, false),
  },
  {
    name: 'endless-body',
    proves: 'a line of a gigabyte in a message is read and not kept',
    run: full => endlessBodyLine(full ? GIB : GIB / 8),
  },
  { name: 'dots', proves: 'row 14: a million lines of dots cost at most three times the CPU of others', run: dots },
  {
    name: 'idle',
    proves: 'an idle session costs no more than twelve kibibytes',
    run: full => idleSessions(full ? 10_000 : 2_000, 'plain'),
  },
  {
    name: 'idle-tls',
    proves: 'an idle session under TLS costs little more than what OpenSSL needs',
    run: full => idleSessions(full ? 10_000 : 300, 'tls'),
  },
]
