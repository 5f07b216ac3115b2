import { existsSync } from 'node:fs'
import { DatabaseSync, StatementSync } from 'node:sqlite'
import { workerData } from 'node:worker_threads'

/*
 * Loaded before everything else, in every thread (`node --import`): while the file DISK_AWAY exists, SQLite fails as it does when
 * its disk does, with its own result code (SQLITE_IOERR) and at whatever statement comes next. With DISK_FAILS_AT=commit the writer
 * gets as far as the sync of its transaction. All else is real.
 */
const away = process.env['DISK_AWAY'] ?? ''
const reads = typeof workerData === 'object' && workerData !== null && 'patient' in workerData
const onlyCommits = process.env['DISK_FAILS_AT'] === 'commit' && !reads

const failing = (prototype: object, names: readonly string[]): void => {
  for (const name of names) {
    const real: unknown = Reflect.get(prototype, name)
    if (typeof real !== 'function') throw new Error(`node:sqlite has no ${name}`)
    Reflect.set(prototype, name, function (this: unknown, ...args: unknown[]): unknown {
      if ((!onlyCommits || args[0] === 'commit') && existsSync(away))
        throw Object.assign(new Error('disk I/O error'), { code: 'ERR_SQLITE_ERROR', errcode: 10 })
      return Reflect.apply(real, this, args)
    })
  }
}
failing(DatabaseSync.prototype, ['exec', 'prepare'])
failing(StatementSync.prototype, ['run', 'get', 'all', 'iterate'])
