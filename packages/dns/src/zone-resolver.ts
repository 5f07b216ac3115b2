import type { Answer, Resolver } from '@posthorn/contracts'
import { isIpText } from './name.ts'
import { questions } from './questions.ts'
import { mostHops } from './reading.ts'
import type { RecordType, RecordValue } from './record.ts'
import { lookUp } from './zones.ts'
import type { Zones } from './zones.ts'

/** A resolver over static zones, without a network: for tests and the lab. Answers anew each time, nothing is remembered. */
export const zoneResolver = (zones: Zones): Resolver => {
  const resolve = async <T extends RecordType>(
    name: string | undefined,
    type: T,
    signal?: AbortSignal,
  ): Promise<Answer<RecordValue[T]>> => {
    signal?.throwIfAborted()
    if (name === undefined) return { ok: false, why: 'nxdomain', secure: false }
    if (isIpText(name)) return { ok: false, why: 'nodata', secure: false }
    let [owner, ttl, secure] = [name, Infinity, true]
    for (let hops = 0; hops <= mostHops; hops++) {
      const said = lookUp(zones, owner, type)
      if (said.kind === 'failure') return { ok: false, why: said.why, secure: false }
      secure &&= said.secure
      if (said.kind === 'none') return { ok: false, why: said.why, secure }
      ttl = Math.min(ttl, said.ttl)
      if (said.kind === 'records') {
        const answer = { ok: true, records: said.values, secure, ttl } as const
        return owner === name ? answer : { ...answer, canonical: owner }
      }
      owner = said.target
    }
    return { ok: false, why: 'servfail', secure: false }
  }
  return questions(resolve)
}
