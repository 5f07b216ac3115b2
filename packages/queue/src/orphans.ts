import { opendir, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import type { QueueId } from '@posthorn/contracts'
import { parseId } from '@posthorn/queue-base'

/** Files that are looked up at once. */
const step = 500

/**
 * Remove spool files that no row names: of drafts that a crash cut off, and of messages that left just before one. Those of
 * this instance, which `isMine` tells, may belong to drafts and stay, as do files that are not named by an id. Says how many went.
 */
export const sweepOrphans = async (
  directory: string,
  isMine: (id: { readonly key: number; readonly nonce: number }) => boolean,
  /** Those of them that are queued with a spool file. */
  spooled: (ids: readonly QueueId[]) => Promise<readonly QueueId[]>,
): Promise<number> => {
  let removed = 0
  let candidates: QueueId[] = []
  const removeOrphans = async (): Promise<void> => {
    if (candidates.length === 0) return
    const queued = new Set(await spooled(candidates))
    for (const id of candidates) {
      if (queued.has(id)) continue
      await unlink(join(directory, id)).then(
        () => removed++,
        () => {},
      )
    }
    candidates = []
  }
  for await (const entry of await opendir(directory)) {
    const id = parseId(entry.name)
    if (id === undefined || isMine(id)) continue
    if (candidates.push(entry.name as QueueId) >= step) await removeOrphans()
  }
  await removeOrphans()
  return removed
}
