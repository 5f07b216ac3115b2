import { z } from 'zod'

const serverName = z.string().regex(/^(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*$/i, {
  error: 'is not a host name such as "mx.example.org", nor a wildcard such as "*.example.org"',
})
const pairFiles = z.strictObject({
  cert: z.string(),
  key: z.string(),
  /** The server names for which it is shown; those that it bears when absent. */
  names: z.array(serverName).min(1).optional(),
})

/** Certificates with their keys: one pair, or several. */
export const certificates = z.union([pairFiles.transform(one => [one] as const), z.tuple([pairFiles], pairFiles)])
