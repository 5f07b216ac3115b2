import type { QueueId } from '@posthorn/contracts'

/** Messages that are remembered; the oldest are forgotten. */
const MOST = 20_000
/** Longer names are nobody's. */
const LONGEST = 300

/** By which names messages of ours left lately: for bounces that bring back nothing better. Lost with the process. */
export class Sent {
  readonly #ids = new Map<string, QueueId>()

  remember(name: string, id: QueueId): void {
    if (name === '' || name.length > LONGEST) return
    this.#ids.delete(name)
    this.#ids.set(name, id)
    if (this.#ids.size <= MOST) return
    for (const oldest of this.#ids.keys()) {
      this.#ids.delete(oldest)
      return
    }
  }

  find(name: string): QueueId | undefined {
    return this.#ids.get(name)
  }
}

/** An ENVID is its sender's, not the world's (RFC 3461 §4.4). */
export const envidName = (envid: string, sender: string): string => `envid ${envid} ${sender.toLowerCase()}`
export const messageIdName = (id: string): string => `id ${id.trim()}`
