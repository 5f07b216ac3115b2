import { expect, test } from 'vitest'
import type { WireReader } from '@posthorn/contracts'
import { scriptedNetwork, transcriptPeer } from './index.ts'

const to = { host: '192.0.2.1', port: 25 }
const recorder = (): WireReader & { readonly heard: string[]; readonly over: Promise<void> } => {
  const heard: string[] = []
  let tell = (): void => {}
  const over = new Promise<void>(resolve => (tell = resolve))
  return {
    heard,
    over,
    data: chunk => heard.push(Buffer.from(chunk).toString('latin1')),
    end: () => heard.push('end'),
    closed(error) {
      heard.push(`closed${error === undefined ? '' : `: ${error.message}`}`)
      tell()
    },
  }
}

test('a peer says the S lines of a transcript and expects the C lines', async () => {
  const network = scriptedNetwork(transcriptPeer('S: 220 hi\nC= Q\nC= UIT\\r\\n\nC: .\nS: 221 bye\nX: end'))
  const wire = await network.dial(to)
  const reader = recorder()
  wire.read(reader)
  wire.write('QUIT\r\n')
  wire.write('.\r\n')
  await reader.over
  expect(reader.heard).toEqual(['220 hi\r\n', '221 bye\r\n', 'end', 'closed'])
  expect(network.peers[0]?.writes).toEqual(['QUIT\r\n', '.\r\n'])
  expect(network.faults).toEqual([])
})

test('a client that says something else is a fault with the line of the transcript', async () => {
  const network = scriptedNetwork(transcriptPeer('S: 220 hi\nC: QUIT'))
  const wire = await network.dial(to)
  const reader = recorder()
  wire.read(reader)
  wire.write('NOOP\r\n')
  await reader.over
  expect(String(network.faults[0])).toContain('line 2: the client should have said "QUIT\\r\\n", not "NOOP\\r\\n"')
})

test('content is read up to the final dot and what follows is kept', async () => {
  let seen: (string | undefined)[] = []
  let done = (): void => {}
  const finished = new Promise<void>(resolve => (done = resolve))
  const network = scriptedNetwork(async peer => {
    seen = [await peer.content(), await peer.content(), await peer.line(), await peer.line()]
    done()
  })
  const wire = await network.dial(to)
  const reader = recorder()
  wire.read(reader)
  wire.write('a\r\n..b\r\n.\r')
  wire.write('\n.\r\nQUIT\r\n')
  wire.close()
  await finished
  expect(seen).toEqual(['a\r\n..b\r\n', '', 'QUIT', undefined])
})

test('a client waits while the peer takes nothing, and no longer when the connection breaks', async () => {
  const network = scriptedNetwork(
    async peer => {
      await peer.left()
    },
    async peer => {
      await peer.take(70_000)
    },
  )
  const [stuck, taken] = [await network.dial(to), await network.dial(to)]
  const bytes = new Uint8Array(70_000)
  expect([stuck.write(bytes), taken.write(bytes)]).toEqual([false, false])
  await taken.drained()
  const waiting = stuck.drained()
  stuck.abort()
  await waiting
  expect(network.peers[0]?.gone).toBe(true)
})

test('TLS ends as the script says', async () => {
  const network = scriptedNetwork(
    async peer => void (peer.handshake = () => ({ authorized: false })),
    async peer => void (peer.handshake = () => new Error('bad certificate')),
    async peer => void (peer.handshake = () => 'never'),
  )
  const need = { level: 'may', names: ['a.example'], because: 'test' } as const
  expect(await (await network.dial(to)).secure(need)).toMatchObject({ version: 'TLSv1.3', authorized: false })
  await expect((await network.dial(to)).secure(need)).rejects.toThrow('bad certificate')
  await expect((await network.dial(to)).secure(need, AbortSignal.abort(new Error('enough')))).rejects.toThrow('enough')
  expect(network.peers.map(p => [p.needs.length, p.gone])).toEqual([
    [1, false],
    [1, true],
    [1, true],
  ])
})

test('connections are refused, hang or run out as arranged', async () => {
  const network = scriptedNetwork(Object.assign(new Error('no'), { code: 'EHOSTUNREACH' }), 'never')
  await expect(network.dial(to)).rejects.toMatchObject({ code: 'EHOSTUNREACH' })
  await expect(network.dial(to, AbortSignal.abort(new Error('enough')))).rejects.toThrow('enough')
  await expect(network.dial(to)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  expect(network.dialled).toHaveLength(3)
})
