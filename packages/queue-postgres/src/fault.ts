import { DatabaseError } from 'pg'

/**
 * What an error of the database means. `lost`: the connection is of no use any more, or there is none; another may do better.
 * `again`: the same transaction may succeed when it is tried again. `full`: no room. `refused`: what was said to it is wrong.
 */
export type Fault = 'lost' | 'again' | 'full' | 'refused'

/** An error of the database or of the way to it, classified. */
export class DatabaseFault extends Error {
  override readonly name = 'DatabaseFault'
  readonly fault: Fault
  constructor(fault: Fault, cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause })
    this.fault = fault
  }
}

const again = new Set(['40001', '40P01', '55P03'])
// 25006: a primary that has become a standby. 53300: no connection left. 53400: a limit of the server. 57P0x: it goes or comes.
const lost = new Set(['25006', '53300', '53400', '57P01', '57P02', '57P03', '57P05', '57014'])

/** By SQLSTATE where the server gave one; without one it was not the server that spoke. */
export const classify = (error: unknown): DatabaseFault => {
  if (error instanceof DatabaseFault) return error
  if (!(error instanceof DatabaseError)) return new DatabaseFault('lost', error)
  const code = error.code ?? ''
  if (again.has(code)) return new DatabaseFault('again', error)
  if (lost.has(code) || code.startsWith('08')) return new DatabaseFault('lost', error)
  return new DatabaseFault(code === '53100' ? 'full' : 'refused', error)
}
