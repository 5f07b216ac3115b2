import { Client } from 'pg'
import type { ClientConfig } from 'pg'
import type { Clock } from '@posthorn/contracts'

const channel = 'posthorn_ready'
const shortestPause = 500
const longestPause = 30_000

/** A connection of its own that hears when another node made something ready. What it misses is found by polling. */
export interface Listening {
  close(): Promise<void>
}

/** The name that a node's words go under: schemas of one database do not hear each other. */
export const channelOf = (schema: string): string => `${channel}_${schema}`.slice(0, 63)

export const listen = (
  config: ClientConfig,
  o: { readonly schema: string; readonly self: string; readonly clock: Clock; readonly heard: () => void },
): Listening => {
  let client: Client | undefined
  let closed = false
  let pause = shortestPause
  let cancel = (): void => undefined
  let opening: Promise<void> = Promise.resolve()

  const again = (): void => {
    client = undefined
    if (closed) return
    cancel = o.clock.after(pause, start)
    pause = Math.min(longestPause, pause * 2)
  }
  const open = async (): Promise<void> => {
    const mine = new Client(config)
    client = mine
    let lost = false
    const lose = (): void => {
      if (lost) return
      lost = true
      void mine.end().catch(() => undefined)
      again()
    }
    mine.on('error', lose)
    mine.on('end', lose)
    mine.on('notification', ({ payload }) => {
      if (payload !== o.self) o.heard()
    })
    try {
      await mine.connect()
      await mine.query(`listen "${channelOf(o.schema)}"`)
      pause = shortestPause
      // Something may have been said while nobody listened.
      o.heard()
    } catch {
      lose()
    }
  }
  const start = (): void => {
    opening = open()
  }
  start()
  return {
    close: async () => {
      closed = true
      cancel()
      await opening
      await client?.end().catch(() => undefined)
    },
  }
}
