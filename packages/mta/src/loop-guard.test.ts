import { parseHeaders } from '@posthorn/message'
import { pass } from '@posthorn/plugin'
import { routingLoop } from '@posthorn/reply'
import { describe, expect, it } from 'vitest'
import { atRcpt, chainOf } from '../test/ask.ts'
import { loopGuard } from './loop-guard.ts'
import type { LoopGuardOptions } from './loop-guard.ts'

const judge = async (received: number, by: string, o?: LoopGuardOptions): Promise<unknown> => {
  const chain = await chainOf(loopGuard(o))
  const field = `Received: from a.example\r\n\tby ${by} with ESMTP; Thu, 01 Jan 2026 00:00:00 +0000\r\n`
  const block = `${field.repeat(received)}X-Received: by mx.us.example\r\nSubject: x\r\n\r\n`
  return chain.decide('headers', parseHeaders(new TextEncoder().encode(block)), atRcpt())
}

describe('loopGuard', () => {
  it('row 40: 101 Received fields are a routing loop', async () => {
    expect(await judge(101, 'b.example')).toBe(routingLoop)
    expect(routingLoop).toMatchObject({ code: 554, enhanced: '5.4.6' })
  })
  it('takes as many hops as allowed and not one more', async () => {
    expect(await judge(50, 'b.example')).toBe(pass)
    expect(await judge(51, 'b.example')).toBe(routingLoop)
    expect(await judge(2, 'b.example', { maxHops: 2 })).toBe(pass)
    expect(await judge(3, 'b.example', { maxHops: 2 })).toBe(routingLoop)
  })
  it('is sooner weary of mail that has been here before', async () => {
    const o = { hostname: 'MX.us.example' }
    expect(await judge(10, 'mx.us.example', o)).toBe(pass)
    expect(await judge(11, 'mx.us.example', o)).toBe(routingLoop)
    expect(await judge(11, 'other.example', o)).toBe(pass)
    expect(await judge(11, 'xmx.us.example', o)).toBe(pass)
  })
})
