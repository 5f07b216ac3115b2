import { isIP } from 'node:net'
import { z } from 'zod'
import { parseDomain } from '@posthorn/address'
import { rate } from '../units.ts'
import { fail } from './value.ts'

/** Whose mail a limit is for: a site, a domain or an exchanger, all below one, or all the rest. */
const isReceiver = (text: string): boolean => {
  if (text === '*' || /^(mx|smtp|lmtp|local|trap|[a-z][a-z0-9-]*):\S+$/i.test(text)) return true
  return isIP(text) !== 0 || parseDomain(text.startsWith('*.') ? text.slice(2) : text) !== undefined
}
const siteLimit = z
  .strictObject({
    /** At once. */
    connections: z.int().min(1).max(1000).optional(),
    /** Messages in a time, evenly spread. */
    rate: z
      .string()
      .transform(
        (text, at) =>
          rate(text) ?? fail(at, `${JSON.stringify(text)} is not a rate such as "5/s", "100/min" or "2000/h"`),
      )
      .optional(),
    /** Of one transaction. */
    recipients: z.int().min(1).max(1000).optional(),
    /** Messages after which a connection is ended. */
    perConnection: z.int().min(1).optional(),
    /** False: long messages go by DATA, whatever is offered. */
    chunking: z.boolean().optional(),
  })
  .refine(limit => Object.values(limit).some(value => value !== undefined), {
    error: 'limits nothing: give it connections, rate, recipients, perConnection or chunking',
  })

/** Each receiver with its limits. */
export const sites = z
  .record(
    z.string().refine(isReceiver, {
      error:
        'is not a site such as "mx:example.org", a domain or exchanger such as "example.org", "*.example.org" or "*"',
    }),
    siteLimit,
  )
  .default({})
