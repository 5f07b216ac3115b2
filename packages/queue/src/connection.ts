import { DatabaseSync } from 'node:sqlite'

/**
 * The connection that writes. Throws what SQLite says; the file is closed then, since a disk that fails is asked again by every
 * group, and each would keep a descriptor.
 */
export const openWriter = (path: string, o: { readonly sync: boolean; readonly maxPages?: number }): DatabaseSync =>
  closedUnless(new DatabaseSync(path, { timeout: 5000 }), db => {
    // It comes first: changing the journal mode may have to wait.
    db.exec('pragma busy_timeout = 5000')
    db.exec('pragma journal_mode = wal')
    db.exec(`pragma synchronous = ${o.sync ? 'full' : 'off'}`)
    // The reader checkpoints; this is for the rest, and what remains for the writer is little.
    db.exec('pragma wal_autocheckpoint = 8000')
    // Fresh mail touches few pages, and a backlog's are in the system's cache: more than this is memory spent twice.
    db.exec('pragma cache_size = -16384')
    db.exec('pragma temp_store = memory')
    if (o.maxPages !== undefined) db.exec(`pragma max_page_count = ${Math.floor(o.maxPages)}`)
    return db
  })

/** What is made of a connection, which is closed when that throws. */
export const closedUnless = <T>(db: DatabaseSync, made: (db: DatabaseSync) => T): T => {
  try {
    return made(db)
  } catch (error) {
    db.close()
    throw error
  }
}

/** The connection that reads and checkpoints. It opens the file for writing, as a checkpoint must, but no statement may write. */
export const openReader = (path: string): DatabaseSync => {
  const db = new DatabaseSync(path, { timeout: 5000 })
  db.exec('pragma busy_timeout = 5000')
  db.exec('pragma query_only = on')
  db.exec('pragma cache_size = -8192')
  db.exec('pragma temp_store = memory')
  return db
}
