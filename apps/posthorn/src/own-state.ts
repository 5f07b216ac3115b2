import { statSync } from 'node:fs'
import { Failure } from './failure.ts'

/**
 * Refuse to write into the state directory of another user: what root makes there, its server cannot read, and would stop at. Throws
 * Failure; one that is not there yet is fine.
 */
export const refuseForeignState = (state: string, us: number | undefined = process.geteuid?.()): void => {
  const owner = statSync(state, { throwIfNoEntry: false })?.uid
  if (owner === undefined || us === undefined || owner === us) return
  throw new Failure(
    `${state} belongs to user id ${owner}, and this process runs as ${us}: run the command as that user, such as by runuser or sudo -u`,
  )
}
