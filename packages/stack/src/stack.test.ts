import { createServer, type AddressInfo, type Server } from 'node:net'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Journal } from '@posthorn/contracts'
import { parseMailbox } from '@posthorn/address'
import { definePlugin } from '@posthorn/plugin'
import type { Host, Recipient } from '@posthorn/plugin'
import { checkConfig } from './config.ts'
import { StackError } from './stack-error.ts'
import { createStack } from './stack.ts'
import type { ConfigInput } from './schema.ts'

let state: string
beforeEach(() => {
  state = mkdtempSync(join(tmpdir(), 'posthorn-stack-'))
})
afterEach(() => rmSync(state, { recursive: true, force: true }))

const port0 = { host: '127.0.0.1', port: 0 } as const
const configure = (more: Partial<ConfigInput> = {}) =>
  checkConfig({
    hostname: 'mx.example.org',
    domains: ['example.org'],
    mailboxes: ['ann'],
    listeners: { mx: port0, submission: false, submissions: false },
    ...more,
  })
const opens = async (): Promise<void> => {
  const stack = await createStack(configure(), { state })
  await stack.start()
  await stack.stop()
}

describe('a stack that cannot be made leaves nothing open:', () => {
  test('a plugin that cannot be set up', async () => {
    const broken = definePlugin({
      name: 'broken',
      setup: () => {
        throw new Error('no such table')
      },
    })
    await expect(createStack(configure({ plugins: [broken] }), { state })).rejects.toThrow(/broken.*no such table/s)
    await opens()
  })
  test('a secret that is not there', async () => {
    const smarthost = { host: 'h.example', user: 'u', password: { file: join(state, 'missing') } }
    await expect(createStack(configure({ outbound: { smarthost } }), { state })).rejects.toThrow(
      /^outbound\.smarthost\.password: .*missing can't be read/,
    )
    await opens()
  })
  test('a state directory in use', async () => {
    const stack = await createStack(configure(), { state })
    await expect(createStack(configure(), { state })).rejects.toThrow(StackError)
    await stack.stop()
    await opens()
  })
})

describe('a start that fails', () => {
  let taken: Server
  beforeEach(async () => {
    taken = createServer()
    await new Promise<void>(done => void taken.listen(0, '127.0.0.1', done))
  })
  afterEach(() => void taken.close())

  test('names the service, and has stopped what listened before it', async () => {
    const { port } = taken.address() as AddressInfo
    const listeners = { mx: port0, submission: { host: '127.0.0.1', port }, submissions: false } as const
    const stack = await createStack(configure({ listeners }), { state })
    await expect(stack.start()).rejects.toThrow(/^the service submission: .*EADDRINUSE/)
    await opens()
  })
})

test('a stack that is told to stop while it starts listens nowhere afterwards', async () => {
  const stack = await createStack(configure(), { state })
  const started = stack.start()
  const stopped = stack.stop(0)
  await expect(started).rejects.toThrow('it was stopped before it had started')
  await stopped
  await opens()
})

test('a stack tells of its life in order, with what it was made of and where it listens', async () => {
  const told: (readonly [string, { readonly [k: string]: unknown }])[] = []
  const journal: Journal = { event: (name, fields) => void told.push([name, fields]), child: () => journal }
  const quiet = definePlugin({ name: 'quiet', setup: () => ({}) })
  const stack = await createStack(
    configure({ plugins: [quiet, { use: definePlugin({ ...quiet, name: 'mx-only' }), on: ['mx'] }] }),
    {
      state,
      journal,
    },
  )
  const listeners = await stack.start()
  await stack.stop()
  expect(told.filter(([name]) => /^(service|config)\./.test(name))).toEqual([
    ['config.loaded', { hostname: 'mx.example.org', domains: ['example.org'], plugins: ['quiet', 'mx-only'], state }],
    ['service.ready', { listeners }],
    ['service.draining', {}],
    ['service.stopped', {}],
  ])
})

describe('mail that a plugin injects', () => {
  async function* bytes(): AsyncGenerator<Uint8Array> {
    yield new TextEncoder().encode('Subject: x\r\n\r\nx\r\n')
  }
  /** What the deliveries of a message for these recipients are asked for. */
  const injected = async (rcpts: readonly Recipient[]): Promise<readonly string[]> => {
    const tried: string[] = []
    const both = Promise.withResolvers<void>()
    let inject: Host['inject'] | undefined
    const digest = definePlugin({
      name: 'digest',
      setup: host => {
        inject = host.inject
        return {
          attempt: (_, { rcpt: { to, notify = '-', orcpt = '-' } }) => {
            if (tried.push(`${to.wire} ${String(notify)} ${orcpt}`) === 2) both.resolve()
            return { hold: 'seen' }
          },
        }
      },
    })
    const aliases = { team: ['ann', 'bob'] }
    const stack = await createStack(configure({ mailboxes: ['ann', 'bob'], aliases, plugins: [digest] }), { state })
    await stack.start()
    try {
      await inject?.({ origin: 'list', sender: parseMailbox('list@example.org')!, rcpts, bytes: bytes() })
      await both.promise
    } finally {
      await stack.stop()
    }
    return tried.toSorted()
  }
  const to = parseMailbox('team@example.org')!

  test('keeps what the plugin asks for a recipient, also where that one is an alias (RFC 3461 §5.2.7.3)', async () => {
    expect(await injected([{ to, notify: ['delay'], orcpt: 'rfc822;x@old.example' }])).toEqual([
      'ann@example.org delay rfc822;x@old.example',
      'bob@example.org delay rfc822;x@old.example',
    ])
  })
  test('is not taken with recipients that are none, and what is wrong is said', async () => {
    for (const more of [{ notify: 'sometimes' }, { orcpt: 'rfc822;x\r\nRCPT' }, { returnPath: 'ann' }])
      await expect(injected([{ to, ...more } as unknown as Recipient])).rejects.toThrow(
        'rcpts of inject has something that is no recipient',
      )
  })
})

describe("a plugin's own transport", () => {
  const deliverTo = (name: string, done: (text: string) => void) =>
    definePlugin({
      name: 'archive',
      setup: () => ({ resolve: ({ to }) => (to.local === 'archive' ? { transport: name, arg: 'shelf' } : undefined) }),
      provides: {
        transports: {
          [name]: async (arg, { headers }) => {
            done(`${arg}: ${headers.first('subject')}`)
            return { fate: 'delivered', phase: 'local', cause: 'archived' }
          },
        },
      },
    })

  test('delivers what a plugin resolves to it', async () => {
    const { promise, resolve } = Promise.withResolvers<string>()
    const stack = await createStack(configure({ plugins: [deliverTo('shelves', resolve)] }), { state })
    await stack.start()
    const to = parseMailbox('archive@example.org')!
    await stack.inject({
      origin: 'api',
      sender: null,
      recipients: [{ to, goesTo: [{ to, destination: { transport: 'shelves', arg: 'shelf' } }] }],
      bytes: (async function* () {
        yield new TextEncoder().encode('Subject: keep\r\n\r\nthis\r\n')
      })(),
    })
    expect(await promise).toBe('shelf: keep')
    await stack.stop()
  })
  test('may not have the name of one of ours', async () => {
    const plugins = [deliverTo('local', () => undefined)]
    await expect(createStack(configure({ plugins }), { state })).rejects.toThrow(
      /transport "local", but that is one of the stack's own/,
    )
    await opens()
  })
})
