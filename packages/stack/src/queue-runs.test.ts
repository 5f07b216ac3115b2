import { mkdtempSync, rmSync } from 'node:fs'
import { duplexPair } from 'node:stream'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { parseMailbox } from '@posthorn/address'
import { socketWire } from '@posthorn/system'
import type { QueueId, SiteKey } from '@posthorn/contracts'
import { checkConfig } from './config.ts'
import { createStack, type Stack } from './stack.ts'

let state: string
let stack: Stack
beforeEach(async () => {
  state = mkdtempSync(join(tmpdir(), 'posthorn-etrn-'))
  const config = checkConfig({
    hostname: 'mx.example.org',
    etrn: { 'branch.test': ['192.0.2.0/24'], 'sub.branch.test': ['192.0.2.1/32'], 'other.test': ['ann'] },
  })
  stack = await createStack(config, { state, listen: false })
})
afterEach(async () => {
  await stack.stop(0)
  rmSync(state, { recursive: true, force: true })
})

/** A message that waits for an hour. */
const wait = async (address: string): Promise<QueueId> => {
  const draft = stack.queue.begin()
  await draft.write(new TextEncoder().encode('x\r\n'))
  const to = parseMailbox(address)!
  const due = Date.now() + 3_600_000
  await draft.commit({
    envelope: { returnPath: null, origin: 'api', smtputf8: false, body: '7bit', requireTls: false },
    recipients: [{ to, site: `mx:${to.domain}` as SiteKey, due }],
    head: new TextEncoder().encode('Subject: a\r\n\r\n'),
  })
  return draft.id
}
const ask = async (ip: string, lines: readonly string[]): Promise<readonly string[]> => {
  const [ours, theirs] = duplexPair()
  stack.serve('mx', socketWire(ours, { peer: { ip, port: 4025 }, local: { ip: '192.0.2.99', port: 25 } }))
  let text = ''
  theirs.on('data', chunk => (text += String(chunk)))
  theirs.write(['EHLO branch.test', ...lines, 'QUIT', ''].join('\r\n'))
  await new Promise(resolve => theirs.once('end', resolve))
  theirs.destroy()
  return text.split('\r\n').slice(-2 - lines.length, -2)
}
const dueNow = async (id: QueueId): Promise<boolean> =>
  (await stack.queue.show(id))?.queued.every(row => row.due <= Date.now()) ?? false

test('ETRN makes due what waits for a site, for who may ask and for nothing else', async () => {
  const [here, below, other] = [
    await wait('a@branch.test'),
    await wait('b@sub.branch.test'),
    await wait('c@other.test'),
  ]
  expect(await ask('203.0.113.1', ['ETRN branch.test', 'ETRN @branch.test'])).toEqual(
    Array(2).fill('459 4.7.1 Node not allowed'),
  )
  expect(await dueNow(here)).toBe(false)
  expect(await ask('192.0.2.7', ['ETRN branch.test', 'ETRN other.test', 'ETRN sub.branch.test'])).toEqual([
    '253 2.0.0 1 pending messages for this node started',
    '459 4.7.1 Node not allowed',
    '459 4.7.1 Node not allowed',
  ])
  expect([await dueNow(here), await dueNow(below), await dueNow(other)]).toEqual([true, false, false])
  expect(await ask('192.0.2.1', ['ETRN @BRANCH.test'])).toEqual(['253 2.0.0 2 pending messages for this node started'])
  expect([await dueNow(below), await dueNow(other)]).toEqual([true, false])
  const history = (await stack.queue.show(below))?.history
  expect(history?.at(-1)?.detail).toContain('etrn 192.0.2.1')
})
