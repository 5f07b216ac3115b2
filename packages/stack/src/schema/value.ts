import { z } from 'zod'
import { parseDomain, parseMailbox } from '@posthorn/address'
import { duration, size } from '../units.ts'

/** Refuse a value, saying what was found and what it may be. */
export const fail = (at: z.RefinementCtx, message: string): never => {
  at.addIssue({ code: 'custom', message })
  return z.NEVER
}

const written = z.union([z.string(), z.number()])
const milliseconds = (text: string | number, at: z.RefinementCtx): number =>
  duration(text) ?? fail(at, `${JSON.stringify(text)} is not a duration such as "30s", "5m", "4h" or "5d"`)
/** A duration such as "30s" or a number of ms, in ms. */
export const time = (fallback: string) => written.default(fallback).transform(milliseconds)
/** No duration, one or several. */
export const times = (fallback: string) =>
  z
    .union([z.literal(false), written, z.array(written).max(10)])
    .default(fallback)
    .transform((texts, at) => (texts === false ? [] : [texts].flat().map(text => milliseconds(text, at))))
/** How long somebody is waited for: at least a second. */
export const patience = (fallback: string) => time(fallback).refine(ms => ms >= 1_000, 'is shorter than "1s"')
/** A size such as "50M" or a number of octets, in octets. */
export const octets = (fallback: string) =>
  z
    .union([z.string(), z.number()])
    .default(fallback)
    .transform(
      (text, at) => size(text) ?? fail(at, `${JSON.stringify(text)} is not a size such as "512K", "50M" or "2G"`),
    )

/** A domain name as it is compared. */
export const domain = z.string().transform((text, at) => {
  const parsed = parseDomain(text)
  return parsed === undefined || parsed.startsWith('[')
    ? fail(at, `${JSON.stringify(text)} is not a domain name`)
    : parsed
})
/** An address, or the local part of one at every domain. */
export const mailboxName = z
  .string()
  .refine(text => parseMailbox(text.includes('@') ? text : `${text}@x`, { smtputf8: true }) !== undefined, {
    error: 'is not an address such as "ann@example.org", nor a local part such as "ann"',
  })
/** Another domain, or all below one. */
export const destination = z.string().transform((text, at) => {
  const below = text.startsWith('*.')
  const parsed = parseDomain(below ? text.slice(2) : text)
  return parsed === undefined || parsed.startsWith('[')
    ? fail(at, `${JSON.stringify(text)} is neither a domain name nor a pattern such as "*.example.org"`)
    : `${below ? '*.' : ''}${parsed}`
})

/** Networks of clients; none when absent. */
export const networks = z
  .array(z.union([z.cidrv4(), z.cidrv6()], { error: 'is not a network such as "192.0.2.0/24"' }))
  .default([])
/** Of TCP; 0 lets the system choose. */
export const port = z.int().min(0).max(65535)
/** As a user logs in. */
export const userName = z.string().regex(/^[^\s/]+$/)

/** Where a secret is: in a file, or in a variable of the environment. */
export const secret = z.union([
  z.strictObject({ file: z.string() }),
  z.strictObject({ env: z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'is not the name of an environment variable') }),
])
