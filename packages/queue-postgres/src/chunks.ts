import type { Database } from './database.ts'

/** Octets of a large message that are in one row. */
const chunkSize = 256 * 1024

/** A large message being written, or read, in rows of its own. */
export interface Chunks {
  /** A promise when a row is being written and another is full. It never rejects: `flush` tells. */
  write(chunk: Uint8Array): void | Promise<void>
  /** All rows are there. Rejects with StoreError. */
  flush(): Promise<void>
  discard(): Promise<void>
}

/**
 * Rows go in as they fill up, committed but not waited for by anybody else; the commit of the message, which flushes the log up to
 * itself, makes them durable. Until then `draft` tells the sweep that they belong to nobody yet.
 */
export const writeChunks = (db: Database, id: string): Chunks => {
  let parts: Uint8Array[] = []
  let size = 0
  let seq = 0
  let writing: Promise<void> | undefined
  let failed: Error | undefined

  const store = async (number: number, content: Buffer): Promise<void> => {
    if (number === 1) await db.read('insert into draft(id, begun) values($1, now_ms()) on conflict do nothing', [id])
    await db.read(
      'insert into body(message, seq, content) values($1, $2, $3) on conflict do nothing',
      [id, number, content],
      'chunk',
    )
  }
  const push = (): void => {
    const content = Buffer.concat(parts)
    const number = ++seq
    parts = []
    size = 0
    const before = writing
    const mine = (async () => {
      await before
      if (failed === undefined) await store(number, content)
    })()
      .catch((error: unknown) => {
        failed ??= error instanceof Error ? error : new Error(String(error))
      })
      .finally(() => {
        if (writing === mine) writing = undefined
      })
    writing = mine
  }
  return {
    write: chunk => {
      if (failed !== undefined) return undefined
      parts.push(chunk)
      size += chunk.byteLength
      if (size < chunkSize) return undefined
      const before = writing
      push()
      // One row on its way while the next fills up; then the client waits.
      return before
    },
    flush: async () => {
      if (size > 0) push()
      await writing
      if (failed !== undefined) throw failed
    },
    discard: async () => {
      parts = []
      await writing
      // What cannot be removed now is swept later.
      if (seq > 0) await removeDrafts(db, [id]).catch(() => undefined)
    },
  }
}

/** Forget drafts that are not messages. */
export const removeDrafts = async (db: Database, ids: readonly string[]): Promise<void> => {
  await db.read(
    `with gone as (delete from draft where id = any($1::text[]) returning id)
     delete from body using gone where body.message = gone.id`,
    [ids],
  )
}

/** The rows of a message from `first` on, one at a time. Row 0 is its head and all of a small body. */
export async function* readChunks(
  db: Database,
  id: string,
  o: { readonly first: number; readonly size: number; readonly signal?: AbortSignal | undefined },
): AsyncIterable<Uint8Array> {
  for (let seq = o.first, left = o.size; left > 0; seq++) {
    o.signal?.throwIfAborted()
    const [row] = await db.read<{ content: Buffer }>(
      'select content from body where message = $1 and seq = $2',
      [id, seq],
      'content',
    )
    if (row === undefined) throw new Error(`the content of ${id} ends too soon`)
    left -= row.content.byteLength
    yield row.content
  }
}
