import type { Clock, Journal, Random } from '@posthorn/contracts'
import { layoutOf, prepareDirectory, syncDirectory } from './directory.ts'
import { createIds, tellChanges } from '@posthorn/queue-base'
import type { Ids } from '@posthorn/queue-base'
import { lockDirectory } from './lock.ts'
import { sweepOrphans } from './orphans.ts'
import { createQueue } from './queue.ts'
import type { EmbeddedQueue } from './queue.ts'
import { removeUnfinished } from './compact.ts'
import { createBackups } from './maintenance.ts'
import type { BackupSummary } from './manifest.ts'
import { createRoom } from './room.ts'
import { createSpool } from './spool.ts'
import { defaultHistory } from './sweep.ts'
import type { History } from './sweep.ts'
import { startEngine } from './thread-engine.ts'
import type { ThreadEngine } from './thread-engine.ts'

export interface QueueOptions {
  /** The state directory, made with mode 0700; one process owns it at a time. */
  readonly directory: string
  readonly clock: Clock
  readonly random: Random
  readonly journal?: Journal
  /** False: no flush to the disk, for tests that do not pull plugs. A promise of 250 then means little. */
  readonly sync?: boolean
  /** Octets of content up to which a message is kept in the database instead of a file; 65536 when absent. */
  readonly bodyInline?: number
  /** Free octets of the file system below which no message is taken in; 64 MiB when absent. */
  readonly floorBytes?: number
  readonly history?: Partial<History>
  /** Pages (of 4 KiB) that the database may have; no limit when absent. */
  readonly maxPages?: number
}

/** A queue on a disk. */
export interface DurableQueue extends EmbeddedQueue {
  /**
   * Copy it as it is at one moment, rows and files, into a new directory, while it goes on. The directory has its name only when all
   * is on stable storage. Rejects with an Error that says why it cannot; one backup is made at a time.
   */
  backUp(directory: string): Promise<BackupSummary>
}

const defaultFloor = 64 * 1024 * 1024

/**
 * Open the durable queue of a state directory, making it when it is new. Leases of the instance before are freed.
 * Rejects with an Error that says what to do when the directory is in use, not ours, or written by a newer release.
 */
export const openQueue = async (o: QueueOptions): Promise<DurableQueue> => {
  const layout = layoutOf(o.directory)
  const { clock, journal, sync = true, floorBytes: floor = defaultFloor } = o
  prepareDirectory(layout, { sync })
  const unlock = lockDirectory(layout)
  let engine: ThreadEngine
  try {
    removeUnfinished(layout)
    engine = await startEngine(
      {
        directory: o.directory,
        sync,
        floor,
        history: { ...defaultHistory, ...o.history },
        ...(o.maxPages !== undefined && { maxPages: o.maxPages }),
        now: clock.wall(),
        recover: true,
      },
      layout.database,
    )
    if (sync) syncDirectory(layout.directory)
  } catch (error) {
    unlock()
    throw error
  }
  const ids = createIds(clock, o.random)
  ids.skipTo(engine.recovered.lastKey)
  if (journal !== undefined) tellChanges(journal, engine.recovered.changed)
  const room = createRoom(o.directory, { floor, clock })
  const sweeping = recoverSpool(layout.spool, ids, engine, journal)
  const spool = createSpool(layout.spool, { sync, hasRoom: () => room.has(0) })
  const backups = createBackups(layout, { wall: () => clock.wall(), keepFiles: () => spool.keep(), after: sweeping })
  const queue = createQueue({
    engine,
    ids,
    clock,
    journal,
    spool,
    bodyInline: o.bodyInline ?? 65_536,
    hasRoom: octets => room.has(octets),
    onFull: () => room.lost(),
    beforeClose: async () => {
      await Promise.all([backups.stop(), sweeping])
    },
    afterClose: unlock,
  })
  return { ...queue, backUp: target => backups.make(target) }
}

/** Beside the work, since a spool may be large; what is left when it fails is swept at the next start. */
const recoverSpool = async (
  directory: string,
  ids: Ids,
  engine: ThreadEngine,
  journal: Journal | undefined,
): Promise<void> => {
  const firstKey = ids.take(1)
  try {
    const isMine = (id: { readonly key: number; readonly nonce: number }): boolean =>
      id.nonce === ids.nonce && id.key >= firstKey
    const orphans = await sweepOrphans(directory, isMine, some => engine.read({ ask: 'spooled', ids: some }))
    const { leases } = engine.recovered
    if (leases > 0 || orphans > 0) journal?.event('queue.recovered', { leases, orphans })
  } catch (error) {
    journal?.event('error', { where: 'queue', why: `the spool was not swept: ${String(error)}` }, 'error')
  }
}
