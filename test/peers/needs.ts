import { describe } from 'vitest'
import { has } from './command.ts'
import { isUnpacked } from './enclosure.ts'
import { hasPostgres } from './postgres.ts'

/**
 * A suite that needs real programs. One that is missing is named and its suite left out on a developer's machine;
 * under CI it is an error, so that green always means that the peers were there.
 */
export const suite = (name: string, programs: readonly string[], body: () => void): void => {
  const missing = programs.filter(p => !has(p))
  // They change to users of their own.
  if (process.getuid?.() !== 0 && programs.some(p => p === 'postfix' || p === 'dovecot' || isUnpacked(p)))
    missing.push('the rights of root')
  leaveOutWithout(missing, name, body)
}

/** The same for a suite that needs a PostgreSQL server, whose programs are not in the path. */
export const postgresSuite = (name: string, body: () => void): void =>
  leaveOutWithout(hasPostgres() ? [] : ['postgresql'], name, body)

const leaveOutWithout = (missing: readonly string[], name: string, body: () => void): void => {
  if (missing.length > 0 && process.env['CI'] !== undefined)
    throw new Error(`${name}: missing ${missing.join(', ')}; scripts/install-peers installs them`)
  if (missing.length > 0)
    console.warn(`left out: ${name} (missing ${missing.join(', ')}; scripts/install-peers installs them)`)
  const describeOrSkip = missing.length > 0 ? describe.skip : describe
  describeOrSkip(name, body)
}

/** The same for a suite that must also be run by root, to mount file systems. */
export const rootSuite = (name: string, programs: readonly string[], body: () => void): void => {
  if (process.getuid?.() === 0) return suite(name, programs, body)
  if (process.env['CI'] !== undefined) throw new Error(`${name}: must be run as root`)
  console.warn(`left out: ${name} (must be run as root)`)
  const skipped = describe.skip
  skipped(name, body)
}
