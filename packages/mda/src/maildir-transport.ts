import { opendir } from 'node:fs/promises'
import type { Clock, Job, NewRecipient, Outcome, Random, Transport } from '@posthorn/contracts'
import {
  cleanTmp,
  createNames,
  deliverBatch,
  mailboxPath,
  MaildirError,
  openMaildir,
  type Content,
  type Delivery,
  type Files,
  type MaildirOptions,
  type QuotaLimits,
} from 'maildir-parse'
import { Maildirs, type OpenMaildir } from './maildirs.ts'
import { diskRefused, inMailbox, loop, noSuchMailbox, notNow, notTried, overQuota } from './outcome.ts'
import { isOneLine, oldReturnPath, readHead, traceLines, wasDeliveredTo, withLines } from './trace.ts'

interface Common {
  readonly clock: Clock
  readonly random: Random
  /** Part of every file's name. */
  readonly hostname: string
  /** Whether a message is on stable storage before it counts as delivered; `true` when absent. */
  readonly fsync?: boolean
  /** `lf` writes files with Unix line endings; `keep`, when absent, keeps the bytes as they came, which signatures need. */
  readonly lines?: 'keep' | 'lf'
  /** The disk, for tests. */
  readonly files?: Files
}

export interface MaildirTransportOptions extends Common {
  /** The directory that has one Maildir for each mailbox; made when missing, mode 0700. */
  readonly root: string
  /** What a mailbox may hold (a `maildirsize` file is kept); no limit when absent or undefined. */
  readonly quota?: (mailbox: string) => QuotaLimits | undefined
}

export interface TrapTransportOptions extends Common {
  /** The one Maildir that takes everything. */
  readonly path: string
}

/** A transport that writes Maildirs. */
export interface MaildirTransport extends Transport {
  deliverAll(jobs: readonly Job[], signal: AbortSignal): Promise<readonly (readonly Outcome[])[]>
  /** Remove what deliveries that died left in `tmp` 36 hours ago or before; says how many. Call it at start and once a day. */
  clean(): Promise<number>
}

/** Where a job goes, and what is written on top of it besides the trace. */
interface Place {
  readonly path: string
  readonly mailbox: string
  readonly note: string
  /** Mail that comes twice is a loop. */
  readonly final: boolean
}

/** One copy for one recipient. */
interface Copy {
  readonly job: number
  readonly recipient: number
  /** Made again for a second try: a stream is read once. */
  readonly content: () => Content
  readonly size: number
}

class MaildirDelivery implements MaildirTransport {
  readonly #o: Common
  readonly #place: (job: Job) => Place | undefined
  readonly #paths: () => AsyncIterable<string>
  readonly #maildirs: Maildirs

  constructor(
    o: Common & Pick<MaildirTransportOptions, 'quota'>,
    place: (job: Job) => Place | undefined,
    paths: () => AsyncIterable<string>,
  ) {
    this.#o = o
    this.#place = place
    this.#paths = paths
    this.#maildirs = new Maildirs(optionsFor(o), o.quota ?? (() => undefined))
  }

  async deliver(job: Job, signal: AbortSignal): Promise<readonly Outcome[]> {
    return (await this.deliverAll([job], signal))[0] ?? []
  }

  /** Jobs of several sites are well too, each Maildir with its own syncs. */
  async deliverAll(jobs: readonly Job[], signal: AbortSignal): Promise<readonly (readonly Outcome[])[]> {
    const outcomes: Outcome[][] = jobs.map(() => [])
    const byPath = new Map<string, { readonly place: Place; readonly jobs: number[] }>()
    for (const [i, job] of jobs.entries()) {
      const place = this.#place(job)
      if (place === undefined) outcomes[i] = job.recipients.map(() => noSuchMailbox(job.site))
      else if (byPath.has(place.path)) byPath.get(place.path)?.jobs.push(i)
      else byPath.set(place.path, { place, jobs: [i] })
    }
    const groups = [...byPath.values()]
    await Promise.all(groups.map(group => this.#deliverTo(group.place, group.jobs, jobs, outcomes, signal)))
    return outcomes
  }

  async clean(): Promise<number> {
    let count = 0
    for await (const path of this.#paths()) {
      try {
        count += await cleanTmp(await openMaildir(path), { now: this.#o.clock.wall() })
      } catch (error) {
        // A directory that is no Maildir has no tmp of ours to clean.
        if (!(error instanceof MaildirError)) throw error
      }
    }
    return count
  }

  /** Everything for one Maildir. The one place that turns what went wrong into outcomes. */
  async #deliverTo(
    place: Place,
    which: readonly number[],
    jobs: readonly Job[],
    outcomes: Outcome[][],
    signal: AbortSignal,
  ): Promise<void> {
    try {
      const copies: Copy[] = []
      for (const i of which) {
        const job = jobs[i]
        if (job !== undefined) outcomes[i] = await this.#prepare(place, job, i, copies, signal)
      }
      const results = await this.#write(place, copies, signal)
      for (const [n, copy] of copies.entries()) {
        const row = outcomes[copy.job]
        if (row !== undefined) row[copy.recipient] = results[n] ?? notNow('no result', '4.3.0')
      }
    } catch (error) {
      const refused =
        error instanceof MaildirError ? diskRefused(error) : notNow(`local error: ${String(error)}`, '4.3.0')
      for (const i of which)
        outcomes[i] = (jobs[i]?.recipients ?? []).map((_, r) => decided(outcomes[i]?.[r]) ?? refused)
    }
  }

  /** What can be said before the disk is touched, and the copies to write. */
  async #prepare(place: Place, job: Job, index: number, copies: Copy[], signal: AbortSignal): Promise<Outcome[]> {
    if (signal.aborted) return job.recipients.map(() => notTried('stopped before delivery'))
    if (!job.stillOurs()) return job.recipients.map(() => notTried('the lease ended before delivery'))
    const head = await readHead(job.body, signal)
    const skip = oldReturnPath(head)
    return job.recipients.map(({ to }: NewRecipient, recipient) => {
      if (!isOneLine(to) || !isOneLine(job.returnPath)) return noSuchMailbox(to.wire)
      if (place.final && wasDeliveredTo(head, to)) return loop(to.wire)
      const lines = traceLines(job.returnPath, to, place.note)
      const content = (): Content => withLines(lines, job.body, skip, signal)
      copies.push({ job: index, recipient, content, size: lines.byteLength + job.body.size - skip })
      return pending
    })
  }

  async #write(place: Place, copies: readonly Copy[], signal: AbortSignal): Promise<readonly Outcome[]> {
    if (copies.length === 0) return []
    const open = await this.#maildirs.open(place.path, place.mailbox)
    const fits = await this.#take(open, copies)
    const taken = copies.filter((_, i) => fits[i])
    let results: readonly Delivery[] = []
    try {
      results = await this.#batch(place, open, taken, signal)
    } finally {
      await settleAll(open, taken, results)
    }
    let next = 0
    return fits.map(fit => (fit ? outcomeOf(place.mailbox, results[next++]) : overQuota(place.mailbox)))
  }

  async #take(open: OpenMaildir, copies: readonly Copy[]): Promise<readonly boolean[]> {
    if (open.allowance === undefined) return copies.map(() => true)
    const fits: boolean[] = []
    try {
      for (const copy of copies)
        fits.push(await open.allowance.take(open.maildir, copy.size, this.#o.clock.monotonic()))
      return fits
    } catch (error) {
      await settleAll(
        open,
        copies.filter((_, i) => fits[i]),
        [],
      )
      throw error
    }
  }

  /** Once more where the Maildir had been moved away under us. */
  async #batch(
    place: Place,
    open: OpenMaildir,
    copies: readonly Copy[],
    signal: AbortSignal,
  ): Promise<readonly Delivery[]> {
    const options = { signal, ...(this.#o.lines === undefined ? {} : { lines: this.#o.lines }) }
    const make = (some: readonly Copy[]): readonly Content[] => some.map(copy => copy.content())
    const results = await deliverBatch(open.maildir, make(copies), options)
    const gone = copies.filter((_, i) => isGone(results[i]))
    if (gone.length === 0) return results
    this.#maildirs.forget(place.path)
    const { maildir } = await this.#maildirs.open(place.path, place.mailbox)
    const again = await deliverBatch(maildir, make(gone), options)
    let next = 0
    return results.map(result => (isGone(result) ? (again[next++] ?? result) : result))
  }
}

/** Stands where a copy's outcome will be. */
const pending: Outcome = notNow('not finished', '4.3.0')
const decided = (outcome: Outcome | undefined): Outcome | undefined => (outcome === pending ? undefined : outcome)

const isGone = (result: Delivery | undefined): boolean => result?.ok === false && result.error.fault === 'gone'

const settleAll = async (open: OpenMaildir, copies: readonly Copy[], results: readonly Delivery[]): Promise<void> => {
  for (const [i, copy] of open.allowance === undefined ? [] : copies.entries()) {
    const result = results[i]
    await open.allowance?.settle(open.maildir, copy.size, result?.ok === true ? result.size : undefined)
  }
}

const outcomeOf = (mailbox: string, result: Delivery | undefined): Outcome => {
  if (result === undefined) return pending
  return result.ok ? inMailbox(mailbox, result.file) : diskRefused(result.error)
}

const optionsFor = (o: Common): MaildirOptions => ({
  names: createNames({ host: o.hostname, now: () => o.clock.wall(), random: length => o.random.bytes(length) }),
  sync: o.fsync ?? true,
  ...(o.files === undefined ? {} : { files: o.files }),
})

/** The mailbox of a site such as `local:ann`. */
const mailboxOf = (job: Job): string => job.site.slice(job.site.indexOf(':') + 1)

/** None before the first message made the directory. */
const mailboxesIn = async function* (root: string): AsyncGenerator<string> {
  const directory = await opendir(root).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (directory === undefined) return
  for await (const entry of directory) {
    const path = entry.isDirectory() ? mailboxPath(root, entry.name) : undefined
    if (path !== undefined) yield path
  }
}

/**
 * Delivers sites `local:<mailbox>` into Maildirs under `root`, one copy for each recipient, with Return-Path and Delivered-To on top.
 * `delivered` means on stable storage. Mail that this address has had before fails with 5.4.6; whatever the disk says defers.
 */
export const createMaildirTransport = (o: MaildirTransportOptions): MaildirTransport =>
  new MaildirDelivery(
    o,
    job => {
      const mailbox = mailboxOf(job)
      const path = mailboxPath(o.root, mailbox)
      return path === undefined ? undefined : { path, mailbox, note: '', final: true }
    },
    () => mailboxesIn(o.root),
  )

/**
 * Delivers whatever it is given into one Maildir, and nothing anywhere else: what a development server does with mail for the world.
 * Each copy says in Delivered-To and X-Posthorn-Trap whom it would have gone to, and by which way.
 */
export const createTrapTransport = (o: TrapTransportOptions): MaildirTransport =>
  new MaildirDelivery(
    o,
    job => ({ path: o.path, mailbox: 'the trap', note: `X-Posthorn-Trap: ${printable(job.site)}\r\n`, final: false }),
    async function* () {
      yield o.path
    },
  )

const printable = (text: string): string => text.replaceAll(/[^\x21-\x7e]/g, '?').slice(0, 900)
