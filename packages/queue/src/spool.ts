import { constants } from 'node:fs'
import { open, unlink } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import type { QueueId } from '@posthorn/contracts'
import { spoolFault } from './spool-fault.ts'
import { asStoreError, storeError } from '@posthorn/queue-base'

/** Bytes that may wait for the disk before the writer is told to wait. */
const highWater = 512 * 1024
const chunkSize = 64 * 1024

/** The files of large messages, one each, named by queue id: content → fsync → directory fsync → row; row gone → unlink. */
export interface Spool {
  create(id: QueueId): SpoolFile
  read(id: QueueId, size: number, signal?: AbortSignal): AsyncIterable<Uint8Array>
  /** A missing file is no failure; any other leaves an orphan that the next start removes. */
  remove(id: QueueId): Promise<void>
  /** From now on nothing is removed, until the result is called: then all that should have been. */
  keep(): () => void
}

/** A file being written by one draft. */
export interface SpoolFile {
  /** A promise when the disk is behind; it never rejects. */
  write(chunk: Uint8Array): void | Promise<void>
  /** All is written, not yet synced. Rejects with StoreError. */
  flush(): Promise<void>
  /** Content and directory entry are on stable storage. Rejects with StoreError. */
  sync(): Promise<void>
  discard(): Promise<void>
}

export const createSpool = (
  directory: string,
  o: { readonly sync: boolean; readonly hasRoom: () => boolean },
): Spool => {
  const path = (id: string): string => join(directory, id)
  const syncDirectory = o.sync ? sharedSync(directory) : async (): Promise<void> => {}
  const remove = async (id: string): Promise<void> => {
    await unlink(path(id)).catch(() => {})
  }
  let kept: QueueId[] | undefined
  return {
    create: id => createFile(path(id), { ...o, syncDirectory }),
    read: (id, size, signal) => readFile(path(id), size, signal),
    remove: async id => {
      if (kept === undefined) await remove(id)
      else kept.push(id)
    },
    keep: () => {
      kept ??= []
      return () => {
        const left = kept ?? []
        kept = undefined
        void (async () => {
          for (const id of left) await remove(id)
        })()
      }
    },
  }
}

/** One sync of the directory serves all who asked before it began. */
const sharedSync = (directory: string): (() => Promise<void>) => {
  let running: Promise<void> | undefined
  let next: Promise<void> | undefined
  const sync = async (): Promise<void> => {
    const handle = await open(directory, constants.O_RDONLY | constants.O_DIRECTORY)
    try {
      await handle.sync()
    } finally {
      await handle.close()
    }
  }
  const begin = (): Promise<void> => {
    const mine = sync().finally(() => {
      if (running === mine) running = undefined
    })
    running = mine
    return mine
  }
  return () => {
    if (running === undefined) return begin()
    next ??= running
      .catch(() => {})
      .then(() => {
        next = undefined
        return begin()
      })
    return next
  }
}

const createFile = (
  path: string,
  o: { readonly sync: boolean; readonly hasRoom: () => boolean; readonly syncDirectory: () => Promise<void> },
): SpoolFile => {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW
  let handle: FileHandle | undefined
  let queued: Uint8Array[] = []
  let behind = 0
  let failed: unknown
  let writing: Promise<void> | undefined

  const writeOut = async (): Promise<void> => {
    try {
      handle ??= await open(path, flags, 0o600)
      while (queued.length > 0) {
        const chunks = queued
        queued = []
        if (!o.hasRoom()) throw storeError('free space is below the floor', { full: true })
        await writeAll(handle, chunks)
        behind -= chunks.reduce((sum, c) => sum + c.byteLength, 0)
      }
    } catch (error) {
      failed ??= error
      queued = []
      behind = 0
    }
    writing = undefined
  }
  const flush = async (): Promise<void> => {
    // A write that began while this waited is part of the same `writing`: it goes on until nothing is queued.
    await writing
    if (failed !== undefined) throw asStoreError(failed, 'the spool file cannot be written')
  }
  const close = async (): Promise<void> => {
    const open = handle
    handle = undefined
    await open?.close()
  }
  return {
    write: chunk => {
      // What comes after a failure has nowhere to go; `flush` tells.
      if (failed !== undefined) return undefined
      queued.push(chunk)
      behind += chunk.byteLength
      writing ??= writeOut()
      return behind > highWater ? writing : undefined
    },
    flush,
    sync: async () => {
      await flush()
      try {
        if (o.sync) await handle?.sync()
        await close()
        await o.syncDirectory()
      } catch (error) {
        failed ??= error
        throw asStoreError(error, 'the spool file cannot be synced')
      }
    },
    discard: async () => {
      await flush().catch(() => {})
      await close().catch(() => {})
      await unlink(path).catch(() => {})
    },
  }
}

/** A short write is lawful; the rest is tried again, and its error then tells. */
const writeAll = async (handle: FileHandle, chunks: readonly Uint8Array[]): Promise<void> => {
  const total = chunks.reduce((sum, c) => sum + c.byteLength, 0)
  const { bytesWritten } = await handle.writev([...chunks])
  if (bytesWritten === total) return
  let rest = Buffer.concat(chunks).subarray(bytesWritten)
  while (rest.byteLength > 0) {
    const more = await handle.write(rest)
    rest = rest.subarray(more.bytesWritten)
  }
}

async function* readFile(path: string, size: number, signal?: AbortSignal): AsyncIterable<Uint8Array> {
  const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW)
  try {
    const fault = spoolFault(await handle.stat(), size)
    if (fault !== undefined) throw storeError(fault, { full: false })
    for (let at = 0; at < size;) {
      signal?.throwIfAborted()
      const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafeSlow(Math.min(chunkSize, size - at)), 0)
      if (bytesRead === 0) throw storeError('the spool file was cut short', { full: false })
      at += bytesRead
      yield buffer.subarray(0, bytesRead)
    }
  } finally {
    await handle.close()
  }
}
