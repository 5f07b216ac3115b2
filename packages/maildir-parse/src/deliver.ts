import { Arrival, type Content, type DeliverOptions } from './arrival.ts'
import { asMaildirError, type MaildirError } from './error.ts'
import type { Maildir } from './maildir.ts'

/** A message that is on stable storage (unless the Maildir was opened with `sync: false`). */
export interface Delivered {
  /** Its file name in `new`. */
  readonly file: string
  /** Octets of the file. */
  readonly size: number
}

/** One result of a batch. */
export type Delivery = ({ readonly ok: true } & Delivered) | { readonly ok: false; readonly error: MaildirError }

/** Messages of a batch that go from step to step together; bounds its open files. */
const TOGETHER = 64
/** Streams of a batch that are read at a time; bounds its memory. */
const STREAMS = 8

/** Run a step for each, so many at a time. The step never rejects. */
const each = async <T>(items: readonly T[], atOnce: number, step: (item: T) => Promise<void>): Promise<void> => {
  let next = 0
  const turn = async (): Promise<void> => {
    for (let item = items[next++]; item !== undefined; item = items[next++]) await step(item)
  }
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, turn))
}

/** The messages are in `new`; make that durable, or take them away again. */
const makeDurable = async ({ sync, newSync }: Maildir, arrivals: readonly Arrival[]): Promise<void> => {
  if (!sync || arrivals.every(a => a.error !== undefined)) return
  try {
    await newSync.join()
  } catch (error) {
    const failed = asMaildirError(error, 'sync new')
    for (const arrival of arrivals) await arrival.withdraw(failed)
  }
}

/**
 * Deliver one message: written to `tmp`, synced, moved to `new`, and `new` synced, the last together with other deliveries under way.
 * The message is ours from the moment this resolves. Rejects with MaildirError; then it is not in `new`,
 * unless the disk failed at the very last step and refused to take it away again.
 */
export const deliver = async (maildir: Maildir, content: Content, options: DeliverOptions = {}): Promise<Delivered> => {
  const arrival = new Arrival(maildir, content, options)
  await arrival.write()
  await arrival.sync()
  await arrival.move()
  await makeDurable(maildir, [arrival])
  if (arrival.error !== undefined) throw arrival.error
  return { file: arrival.file, size: arrival.size }
}

/**
 * Deliver several, each step of all before the next step of any: syncs that are asked for together share the file system's work, and no
 * thread of the disk's waits. One sync of `new` for all. One result each, in their order; never rejects.
 */
export const deliverBatch = async (
  maildir: Maildir,
  contents: readonly Content[],
  options: DeliverOptions = {},
): Promise<readonly Delivery[]> => {
  const arrivals: Arrival[] = []
  for (let from = 0; from < contents.length; from += TOGETHER) {
    const wave = contents.slice(from, from + TOGETHER).map(content => new Arrival(maildir, content, options))
    const streams = wave.filter(arrival => arrival.isStream)
    await Promise.all([
      each(streams, STREAMS, arrival => arrival.write()),
      ...wave.map(arrival => (arrival.isStream ? undefined : arrival.write())),
    ])
    await Promise.all(wave.map(arrival => arrival.sync()))
    await Promise.all(wave.map(arrival => arrival.move()))
    arrivals.push(...wave)
  }
  await makeDurable(maildir, arrivals)
  return arrivals.map(({ error, file, size }) =>
    error === undefined ? { ok: true, file, size } : { ok: false, error },
  )
}
