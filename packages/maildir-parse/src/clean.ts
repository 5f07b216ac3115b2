import { lstat, opendir, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { asMaildirError, codeOf } from './error.ts'
import type { Maildir } from './maildir.ts'

/** The Maildir specification's: no delivery takes longer. In ms. */
const ABANDONED = 36 * 3_600_000

const removeIfOld = async (path: string, before: number): Promise<boolean> => {
  try {
    const stat = await lstat(path)
    // A delivery that is slow still writes, so the last write counts as well as the last access.
    if (!stat.isFile() || Math.max(stat.atimeMs, stat.mtimeMs) >= before) return false
    await unlink(path)
    return true
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false
    throw error
  }
}

/**
 * Remove what deliveries that died left in `tmp`: files not touched for 36 hours. `now` is wall time in ms. Says how many.
 * Call it once a day; deliveries may go on meanwhile.
 */
export const cleanTmp = async (
  maildir: Maildir,
  options: { readonly olderThanMs?: number; readonly now?: number } = {},
): Promise<number> => {
  const before = (options.now ?? Date.now()) - (options.olderThanMs ?? ABANDONED)
  const tmp = join(maildir.path, 'tmp')
  let count = 0
  try {
    for await (const entry of await opendir(tmp)) if (await removeIfOld(join(tmp, entry.name), before)) count += 1
  } catch (error) {
    throw asMaildirError(error, 'clean tmp')
  }
  return count
}
