import { X509Certificate } from 'node:crypto'

const label = '[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?'
/** A host name, or one whose first label is a wildcard: nowhere else and not as a part of a label does one mean anything (RFC 6125 §6.4.3). */
const pattern = new RegExp(`^(?:\\*\\.${label}\\.)?${label}(?:\\.${label})*$`)

/**
 * The host names that a certificate bears, in lower case, of its alternative names alone (RFC 6125 §6.4.4). What could be read in two ways
 * is none: a name with a NUL, a comma or a quote in it, a wildcard in the wrong place.
 */
export const namesOf = (certPem: string): readonly string[] =>
  (new X509Certificate(certPem).subjectAltName ?? '')
    .split(', ')
    .filter(name => name.startsWith('DNS:'))
    .map(name => name.slice(4).toLowerCase())
    .filter(name => pattern.test(name))

/** The wildcard that stands for a host name. */
const wildcardOf = (name: string): string => `*${name.slice(name.indexOf('.') < 0 ? name.length : name.indexOf('.'))}`

/** What is kept for a server name: its own, or a wildcard's that stands for just its first label. */
export const foundFor = <T>(byName: ReadonlyMap<string, T>, name: string): T | undefined =>
  byName.get(name) ?? byName.get(wildcardOf(name))
