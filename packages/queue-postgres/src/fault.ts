import { DatabaseError } from 'pg'

/**
 * What an error of the database means. `lost`: the connection is of no use any more, or there is none; another may do better.
 * `again`: the same transaction may succeed when it is tried again. `full`: no room. `refused`: what was said to it is wrong.
 */
export type Fault = 'lost' | 'again' | 'full' | 'refused'

/** The library's own words for a password that is wanted and not given would not lead anybody to it. */
const inWords = (message: string): string =>
  message.includes('client password must be a string')
    ? 'it asks for a password, and neither the URL nor PGPASSWORD has one'
    : message

/** An error of the database or of the way to it, classified. */
export class DatabaseFault extends Error {
  override readonly name = 'DatabaseFault'
  readonly fault: Fault
  constructor(fault: Fault, cause: unknown) {
    super(inWords(cause instanceof Error ? cause.message : String(cause)), { cause })
    this.fault = fault
  }
}

const again = new Set(['40001', '40P01', '55P03'])
/** Classes of what is wrong with the data: of values, of constraints, of the size of things. */
const data = new Set(['22', '23', '54'])

/**
 * By SQLSTATE where the server gave one; without one it was not the server that spoke. What is neither about the data nor about
 * room is the server's own trouble, such as a primary that has become a standby (25006), and may pass.
 */
export const classify = (error: unknown): DatabaseFault => {
  if (error instanceof DatabaseFault) return error
  const code = error instanceof DatabaseError ? (error.code ?? '') : ''
  if (again.has(code)) return new DatabaseFault('again', error)
  if (code === '53100') return new DatabaseFault('full', error)
  return new DatabaseFault(data.has(code.slice(0, 2)) ? 'refused' : 'lost', error)
}
