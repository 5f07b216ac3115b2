import type { Clock, Random } from '@posthorn/contracts'

/** A name for a session: printable, sorts by time, unique over processes. It goes through events and into stored messages. */
export const newSessionId = (clock: Clock, random: Random): string => {
  let id = clock.wall().toString(36).padStart(9, '0')
  for (const octet of random.bytes(5)) id += octet.toString(16).padStart(2, '0')
  return id
}
