import { z } from 'zod'
import { port } from './value.ts'

/** The listening services of a stack. */
export const serviceNames = ['mx', 'submission', 'submissions', 'lmtp'] as const
export type ServiceName = (typeof serviceNames)[number]

const listener = z.union([
  z.literal(false),
  z.strictObject({ host: z.string().default('0.0.0.0'), port }),
  z.strictObject({ path: z.string() }),
])

/** Where each of them listens; false for nowhere. */
export const listeners = z
  .strictObject({
    mx: listener.default({ host: '0.0.0.0', port: 25 }),
    submission: listener.default({ host: '0.0.0.0', port: 587 }),
    submissions: listener.default({ host: '0.0.0.0', port: 465 }),
    lmtp: listener.default(false),
  })
  .prefault({})
