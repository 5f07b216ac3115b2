import { z } from 'zod'
import { parseMailbox } from '@posthorn/address'

/** Reports to other people's domains on TLS towards them (RFC 8460), or none. */
export const tlsReports = z.union([
  z.literal(false),
  z.strictObject({
    /** Who can be asked about a report, and its author. */
    contact: z.string().refine(text => parseMailbox(text.replace(/^mailto:/i, '')) !== undefined, {
      error: 'is not an address such as "mailto:tls@example.org"',
    }),
    /** Whose reports they are; the host name when absent. */
    organization: z
      .string()
      .min(1)
      .max(200)
      .regex(/^[\x20-\x7e]*$/, 'has characters beyond ASCII')
      .optional(),
  }),
])
