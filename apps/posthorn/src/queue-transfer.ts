import { closeSync, createReadStream, existsSync, fsyncSync, openSync, readdirSync, readFileSync } from 'node:fs'
import { mkdir, open } from 'node:fs/promises'
import { join } from 'node:path'
import type { Command } from 'commander'
import type { Filter, QueueEntry, QueueId } from '@posthorn/contracts'
import type { Body } from '@posthorn/message'
import { filterHelp } from '@posthorn/queue-filter'
import { actor } from './actor.ts'
import { Failure } from './failure.ts'
import { filterOf } from './filter.ts'
import { messageFrom, messageJson } from './message-file.ts'
import { mboxEntry } from './mbox.ts'
import { withQueue } from './queue-access.ts'
import type { QueueOperations } from './queue-operations.ts'
import { type StateOptions, withState } from './state-option.ts'
import { terminal } from './terminal.ts'

interface TransferOptions extends StateOptions {
  readonly all?: boolean
  readonly mbox?: boolean
  readonly hold?: boolean
  readonly dryRun?: boolean
  readonly again?: boolean
}

/** The messages that have deliveries which match, oldest first; a message's deliveries stand together in the list. */
async function* messagesOf(queue: QueueOperations, filter: Filter): AsyncGenerator<QueueId> {
  let last: QueueId | undefined
  let after: string | undefined
  do {
    const page = await queue.list(filter, { limit: 500, ...(after === undefined ? {} : { after }) })
    for (const { id } of page.rows) {
      if (id !== last) yield id
      last = id
    }
    after = page.after
  } while (after !== undefined)
}

/** A file that was not there before, for its owner alone, on the disk when this resolves. */
const writeNew = async (path: string, content: AsyncIterable<Uint8Array> | string): Promise<void> => {
  const file = await open(path, 'wx', 0o600).catch((error: unknown) => {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
    throw new Failure(`${path} is there already; export into a directory without it`)
  })
  try {
    await file.writeFile(content)
    await file.sync()
  } finally {
    await file.close()
  }
}

type Sink = (id: QueueId, entry: QueueEntry, body: Body) => Promise<void>

/** The content first, then the record that names it: an export that was cut short has no record without its content. */
const intoDirectory =
  (directory: string): Sink =>
  async (id, { message }, body) => {
    if (message === undefined) return
    await writeNew(join(directory, `${id}.eml`), body.open())
    await writeNew(join(directory, `${id}.json`), `${JSON.stringify(messageJson(id, message), undefined, 2)}\n`)
  }

const exportMessages = async (target: string, terms: readonly string[], o: TransferOptions): Promise<void> => {
  if (terms.length === 0 && o.all !== true)
    throw new Failure(`say which: a queue id, a filter, or --all\n${filterHelp}`, 2)
  const out = terminal(o.json === true)
  const filter = filterOf(terms)
  const dryRun = o.dryRun === true
  if (!dryRun && o.mbox === true && existsSync(target)) throw new Failure(`${target} is there already`)
  await withQueue(o, async queue => {
    let messages = 0
    const mbox = dryRun || o.mbox !== true ? undefined : await open(target, 'wx', 0o600)
    if (!dryRun && mbox === undefined) await mkdir(target, { recursive: true, mode: 0o700 })
    const sink: Sink =
      mbox === undefined
        ? intoDirectory(target)
        : async (_id, entry, body) => mbox.writeFile(await mboxEntry(entry, body))
    try {
      for await (const id of messagesOf(queue, filter)) {
        const entry = await queue.show(id)
        // It has left since it was listed.
        if (entry?.message === undefined) continue
        const body = dryRun ? undefined : await queue.open(id)
        if (!dryRun && body === undefined) continue
        if (body !== undefined) await sink(id, entry, body)
        messages++
      }
      await mbox?.sync()
    } finally {
      await mbox?.close()
    }
    if (!dryRun && mbox === undefined) syncDirectory(target)
    out.value({ exported: messages, to: target, dryRun })
    out.line(
      `${dryRun ? 'would export' : 'exported'} ${messages} ${messages === 1 ? 'message' : 'messages'} to ${target}`,
    )
    if (messages === 0 && terms.length > 0) throw new Failure('nothing in the queue matches')
  })
}

const syncDirectory = (path: string): void => {
  const fd = openSync(path, 'r')
  fsyncSync(fd)
  closeSync(fd)
}

const importMessages = async (directory: string, o: TransferOptions): Promise<void> => {
  const out = terminal(o.json === true)
  const dryRun = o.dryRun === true
  if (!existsSync(directory)) throw new Failure(`there is no directory ${directory}`)
  const names = readdirSync(directory).filter(name => name.endsWith('.json'))
  if (names.length === 0) throw new Failure(`there is no exported message in ${directory}`)
  const done = o.again === true ? new Set<string>() : importedFrom(directory)
  // All are read before any is enqueued: what is wrong is told before anything has happened.
  const files = names
    .filter(name => !done.has(name))
    .toSorted((a, b) => (a < b ? -1 : 1))
    .map(name => {
      const content = join(directory, name.replace(/\.json$/, '.eml'))
      if (!existsSync(content)) throw new Failure(`${content} is missing`)
      const message = messageFrom(readFileSync(join(directory, name), 'utf8'))
      if (typeof message === 'string') throw new Failure(`${join(directory, name)}: ${message}`)
      return { name, content, message: o.hold === true ? { ...message, held: `imported by ${actor()}` } : message }
    })
  const skipped = names.length - files.length
  await withQueue(o, async queue => {
    // Opened before anything is enqueued: where no note can be taken, nothing is imported.
    const notes = dryRun || files.length === 0 ? undefined : await open(join(directory, notesName), 'a', 0o600)
    try {
      for (const { name, content, message } of notes === undefined ? [] : files) {
        const id = await queue.put(message, createReadStream(content), actor())
        await notes?.appendFile(`${JSON.stringify({ from: name, id })}\n`)
        await notes?.sync()
        out.value({ imported: id, from: name })
      }
    } finally {
      await notes?.close()
    }
    if (dryRun) out.value({ messages: files.length, skipped, dryRun })
    out.line(`${dryRun ? 'would import' : 'imported'} ${files.length} ${files.length === 1 ? 'message' : 'messages'}`)
    if (skipped > 0)
      out.line(`${skipped} that ${notesName} names as imported before were left out (--again takes them too)`)
  })
}

/** What has been imported from a directory, so that a second import enqueues nothing twice. */
const notesName = 'imported.jsonl'

const importedFrom = (directory: string): ReadonlySet<string> => {
  const path = join(directory, notesName)
  if (!existsSync(path)) return new Set()
  return new Set(
    readFileSync(path, 'utf8')
      .split('\n')
      .flatMap(line => /^\{"from":"([^"]+)","id":"\w+"\}$/.exec(line)?.[1] ?? []),
  )
}

/** `posthorn queue export` and its like. */
export const addTransferCommands = (queue: Command): void => {
  withState(queue.command('export <path> [terms...]'))
    .description('copy messages into a directory, as .eml with .json beside, or into an mbox; they stay in the queue')
    .option('--mbox', 'one file for a mail program, which cannot be imported again')
    .option('--all', 'the whole queue')
    .option('--dry-run', 'only count')
    .addHelpText('after', `\n${filterHelp}`)
    .action(exportMessages)
  withState(queue.command('import <directory>'))
    .description('enqueue exported messages, under new ids')
    .option('--hold', 'on hold, to be released')
    .option('--again', 'also what has been imported from there before')
    .option('--dry-run', 'only check and count')
    .action(importMessages)
}
