import { closeSync, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import type { Sum } from './copy-file.ts'
import { schemaVersion } from './schema.ts'

/** What a backup holds, as people are told. */
export interface BackupSummary {
  /** When its rows were read, wall time in ms. */
  readonly at: number
  readonly messages: number
  readonly deliveries: number
  /** Deliveries that were being attempted at that moment: what became of them is not in it. */
  readonly attempted: number
  /** Files of large messages. */
  readonly files: number
  readonly octets: number
}

/** A backup's list of contents. It is written last, and ends with its own length: what was cut short is no backup. */
interface Manifest {
  readonly summary: BackupSummary
  readonly files: readonly ({ readonly file: string } & Sum)[]
}

const kind = 'backup of a Posthorn queue'
const format = 1
const nameOf = (directory: string): string => join(directory, 'manifest.jsonl')

/** Write it, one JSON value a line, and sync it; its name is not on stable storage then. */
export const writeManifest = (directory: string, { summary, files }: Manifest): void => {
  const fd = openSync(nameOf(directory), 'wx', 0o600)
  const line = (value: unknown): void => void writeSync(fd, `${JSON.stringify(value)}\n`)
  try {
    line({ kind, format, schema: schemaVersion, ...summary })
    for (const file of files) line(file)
    line({ end: files.length })
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

const isName = (name: unknown): name is string =>
  typeof name === 'string' && /^(?:queue\.db|spool\/[0-9A-Za-z]{10,26})$/.test(name)

/** Read it. Throws an Error that says why the directory is no backup that can be restored. */
export const readManifest = (directory: string): Manifest => {
  const refuse = (why: string): Error => new Error(`${directory} cannot be restored: ${why}`)
  let text: string
  try {
    text = readFileSync(nameOf(directory), 'utf8')
  } catch {
    throw refuse('it has no manifest.jsonl, so it is no finished backup')
  }
  let lines: readonly Record<string, unknown>[]
  try {
    lines = text
      .trimEnd()
      .split('\n')
      .map(line => JSON.parse(line) as Record<string, unknown>)
  } catch {
    throw refuse('its manifest.jsonl is damaged')
  }
  const [head, end, files] = [lines[0], lines.at(-1), lines.slice(1, -1)]
  if (head?.['kind'] !== kind) throw refuse('its manifest.jsonl is of something else')
  const schema = Number(head['schema'])
  if (head['format'] !== format || !(schema <= schemaVersion))
    throw refuse(
      `a newer release made it (format ${String(head['format'])}, schema ${schema}; this one reads format ${format}, schemas up to ${schemaVersion})`,
    )
  if (end?.['end'] !== files.length || !files.every(f => isName(f['file'])) || files[0]?.['file'] !== 'queue.db')
    throw refuse('its manifest.jsonl is damaged')
  const [at, messages, deliveries, attempted] = ['at', 'messages', 'deliveries', 'attempted'].map(k => Number(head[k]))
  const all = files as unknown as Manifest['files']
  const octets = all.reduce((sum, file) => sum + file.octets, 0)
  const summary = { at, messages, deliveries, attempted, files: all.length - 1, octets } as BackupSummary
  return { summary, files: all }
}
