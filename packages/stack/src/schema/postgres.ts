import { z } from 'zod'
import { secret, time } from './value.ts'

const databaseUrl = z.string().refine(
  text => {
    const url = URL.parse(text)
    return url !== null && /^postgres(ql)?:$/.test(url.protocol) && url.password === ''
  },
  {
    error:
      'is not a URL such as "postgres://posthorn@db.example.org/mail"; one with a password goes into { file } or { env }',
  },
)
/** A PostgreSQL database that holds the queue of several nodes. */
export const postgres = z.strictObject({
  /** From a file or the environment when there is a password in it. */
  url: z.union([secret, databaseUrl]),
  /** The other nodes go on with the mail of one that has not been heard of for so long. */
  takeover: time('75s').refine(ms => ms >= 5_000, 'is shorter than "5s"'),
  /** At most so many at a time, of this node. */
  connections: z.int().min(2).max(500).default(10),
})
