import type { Owner, Settlement } from '@posthorn/contracts'
import type { EmbeddedQueue } from '@posthorn/queue'
import { sampleMessage, sampleRecipient } from '@posthorn/testkit'
import { body, day, dead, put } from './build.ts'
import { filterOf } from './questions.ts'
import { say } from './report.ts'

const owner = 'bench' as Owner

/** Fresh mail, accepted, leased at birth and settled, by so many sessions at once, a second. */
export const rate = async (queue: EmbeddedQueue, seconds: number): Promise<number> => {
  const end = performance.now() + seconds * 1000
  let done = 0
  const lane = async (n: number): Promise<void> => {
    for (let i = n; performance.now() < end; i += 20) {
      const draft = queue.begin(body.byteLength)
      await draft.write(body)
      const recipients = [sampleRecipient('bob@there.test', { site: `local:u${i % 50}` })]
      const claims = await draft.commit(sampleMessage({ recipients }), { owner, leaseMs: 60_000 })
      const attempt = { at: Date.now(), phase: 'dot', cause: 'ok', ms: 1 }
      await queue.settle(claims.map((lease): Settlement => ({ lease, fate: { to: 'delivered' }, attempt })))
      done++
    }
  }
  const began = performance.now()
  await Promise.all(Array.from({ length: 20 }, (_, n) => lane(n)))
  return done / ((performance.now() - began) / 1000)
}

/** How long fresh mail that was not leased at birth waits for its claim while the dead site's backlog is being tried. */
export const fairness = async (queue: EmbeddedQueue, seconds: number): Promise<readonly number[]> => {
  await queue.pause(dead, 0, '')
  await queue.change(filterOf('site:mx:dead.test age>60h'), { do: 'retry' }, 'bench')
  const came = new Map<string, number>()
  const waits: number[] = []
  const end = performance.now() + seconds * 1000
  let tried = 0
  const dispatch = async (): Promise<void> => {
    while (performance.now() < end) {
      const claims = await queue.claim({ owner, sites: 30, perSite: 64, leaseMs: 60_000 })
      for (const { to } of claims) {
        const at = came.get(to.to.wire)
        if (at === undefined) tried++
        else waits.push(performance.now() - at)
      }
      await queue.settle(
        claims.map((lease): Settlement => ({
          lease,
          fate: lease.site === dead ? { to: 'retry', due: Date.now() + day, why: 'dead' } : { to: 'relayed' },
        })),
      )
    }
  }
  const feed = async (): Promise<void> => {
    for (let i = 0; performance.now() < end; i++) {
      const site = `mx:fresh${i % 1000}.test`
      came.set(`user${i}@${site.slice(3)}`, performance.now())
      await put(queue, i, { site, sender: 'now@here.test' })
    }
  }
  await Promise.all([dispatch(), feed()])
  say('deliveries of the dead site tried meanwhile', String(tried))
  return waits.sort((a, b) => a - b)
}
