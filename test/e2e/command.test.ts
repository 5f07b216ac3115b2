import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { spawnSync } from 'node:child_process'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { run, until, type Ran } from '../peers/command.ts'
import { selfSigned } from '@posthorn/tls-policy'
import { root, stopCleanly, type Running } from '../peers/posthorn.ts'
import { command, makeSite, type Site } from '../peers/site.ts'

// Real processes, on machines that do other things as well.
vi.setConfig({ testTimeout: 90_000, hookTimeout: 90_000 })

const user = 'ann@example.org'
let site: Site
let running: Running
beforeAll(async () => {
  // Nothing listens on port 1: what goes elsewhere stays in the queue.
  site = await makeSite({
    users: [user],
    body: `outbound: { smarthost: { host: '127.0.0.1', port: 1 } }, aliases: { nobody: 'missing' },`,
  })
  running = await site.start()
})
afterAll(async () => {
  await stopCleanly(running)
  site.remove()
})

/** Each line of the output as the value it is. */
const json = async (...args: readonly string[]): Promise<readonly Record<string, unknown>[]> => {
  const ran = await site.posthorn(...args, '--json')
  expect(`${args.join(' ')}: ${ran.code} ${ran.stderr}`).toBe(`${args.join(' ')}: 0 `)
  return ran.stdout
    .split('\n')
    .filter(line => line !== '')
    .map(line => JSON.parse(line) as Record<string, unknown>)
}
const text = async (...args: readonly string[]): Promise<string> => {
  const ran = await site.posthorn(...args)
  expect(`${args.join(' ')}: ${ran.code} ${ran.stderr}`).toBe(`${args.join(' ')}: 0 `)
  return ran.stdout
}
const send = (to: string, subject: string): Promise<readonly Record<string, unknown>[]> =>
  json('send', '--user', user, '--to', to, '--subject', subject, '--text', `text of ${subject}`)

/** A few processes at a time: each takes half a second of a core. */
const inTurn = async <T>(what: readonly T[], work: (t: T) => Promise<void>): Promise<void> => {
  const left = what.values()
  await Promise.all(
    [0, 1, 2].map(async () => {
      for (const t of left) await work(t)
    }),
  )
}

test('wrong arguments end with 2 and say what is wrong on standard error; help that was asked for ends with 0', async () => {
  const cases: readonly (readonly [args: string, code: number, stdout: RegExp, stderr: RegExp])[] = [
    ['', 2, /^$/, /Usage: posthorn/],
    ['queue frobnicate', 2, /^$/, /unknown command 'frobnicate'/],
    ['queue drop', 2, /^$/, /say which: a queue id, a filter, or --all/],
    ['queue list --help', 0, /^Usage: posthorn queue list /, /^$/],
  ]
  await inTurn(cases, async ([args, code, stdout, stderr]) => {
    const ran = await run(command, args.split(' ').filter(Boolean))
    expect(ran.stderr).toMatch(stderr)
    expect(ran.stderr).not.toMatch(/\n\s+at /)
    expect(ran.stdout).toMatch(stdout)
    expect(ran.code).toBe(code)
  })
})

describe('posthorn check --classify', () => {
  const classify = (...args: readonly string[]): Promise<Ran> =>
    run(command, ['check', '--json', '--classify', ...args])
  test.each([
    [['550 5.1.1 user unknown'], 'bad-mailbox', 'mailbox-text-and-status'],
    [['550-5.7.1 Blocked (S3150)', '--from', 'x.mail.protection.outlook.com'], 'spam-block', 'outlook-block-list'],
    [['what is this'], 'other', null],
  ])('%j is %s by %s', async (args, name, rule) => {
    expect(JSON.parse((await classify(...args)).stdout)).toEqual({ class: name, rule })
  })
  test('needs a reply for a host', async () => {
    const ran = await run(command, ['check', '--from', 'mx.example.org'])
    expect([ran.code, ran.stderr]).toEqual([2, expect.stringContaining('--from goes with --classify')])
  })
})

describe('posthorn check', () => {
  const check = (text: string): Promise<Ran> => {
    const file = join(site.dir, `wrong-${Math.random()}.config.ts`)
    writeFileSync(file, text)
    return run(command, ['check', '--config', file, '--state', join(site.dir, 'never')])
  }
  test('names the path of what is wrong, what was found and what is allowed', async () => {
    const hostname = `hostname: 'a.example'`
    const wrong: readonly (readonly [text: string, says: string])[] = [
      [
        `export default { ${hostname}, listenrs: {} }`,
        'listenrs: unknown key; allowed here: hostname, state, listeners',
      ],
      [`export default { ${hostname}, listeners: { mx: { port: 70000 } } }`, 'listeners.mx.port: '],
      [
        `export default { ${hostname}, outbound: { smarthost: { host: 'h', user: 'u', password: { env: 'NO_SUCH_SECRET' } } } }`,
        'outbound.smarthost.password: the environment has no NO_SUCH_SECRET',
      ],
      [
        `export default { ${hostname}, tls: { cert: '/nowhere.pem', key: '/nowhere.key' } }`,
        '/nowhere.pem: does not exist',
      ],
      [
        `export default { ${hostname}, domains: ['a.example'], mailboxes: ['a/b'] }`,
        'mailbox "a/b" cannot name a directory',
      ],
      [`export const config = {}`, 'has no default export'],
      [`export default {{`, `can't be loaded`],
    ]
    await inTurn(wrong, async ([config, says]) => {
      const ran = await check(config)
      expect(ran.stderr).toContain(says)
      expect(ran.stderr).not.toMatch(/\n\s+at /)
      expect([config, ran.code, ran.stdout]).toEqual([config, 1, ''])
    })
  })

  test('starts nothing with a wrong configuration', async () => {
    const file = join(site.dir, 'wrong.config.ts')
    writeFileSync(file, `export default { hostname: 'a.example', colour: 'red' }`)
    const ran = await run(command, ['start', '--json', '--config', file, '--state', join(site.dir, 'never')])
    expect([ran.code, ran.stdout]).toEqual([1, ''])
    expect(ran.stderr).toContain('colour: unknown key')
  })

  test('shows what a right one does, and what can hardly be meant', async () => {
    expect(await text('check')).toMatch(/The configuration is right\.[\s\S]*alias nobody reaches missing@example\.org/)
    expect(await json('check')).toMatchObject([
      { ok: true, development: false, problems: [expect.stringContaining('missing')] },
    ])
  })
})

describe('users', () => {
  test('are added, listed, given another password and removed, and a running server follows', async () => {
    const [added] = await json('user', 'add', 'carl@example.org', '--generate')
    expect(added).toEqual({ added: 'carl@example.org', password: expect.any(String) })
    expect((await json('user', 'list')).map(u => u['name'])).toEqual([user, 'carl@example.org'])
    const again = await site.posthorn('user', 'add', 'carl@example.org', '--generate')
    expect([again.code, again.stderr]).toEqual([1, 'posthorn: there is a user carl@example.org already\n'])

    const submit = (password: string): Promise<Ran> =>
      run(
        command,
        ['send', '--user', 'carl@example.org', '--to', 'carl@example.org', '--text', 'x', '--state', site.state],
        {
          env: { POSTHORN_PASSWORD: password },
        },
      )
    await until('carl', async () => ((await submit(String(added?.['password']))).code === 0 ? true : undefined))
    await site.arrived('carl@example.org', 'carl@example.org')

    await json('user', 'passwd', 'carl@example.org')
    await until('the new password', async () => ((await submit(site.password)).code === 0 ? true : undefined))
    const old = await submit(String(added?.['password']))
    expect([old.code, old.stderr]).toEqual([1, expect.stringMatching(/^posthorn: not sent \(auth/)])

    expect(await text('user', 'remove', 'carl@example.org')).toBe('removed carl@example.org\n')
    await until('carl to be gone', async () => ((await submit(site.password)).code === 1 ? true : undefined))
    const twice = await site.posthorn('user', 'remove', 'carl@example.org')
    expect([twice.code, twice.stderr]).toEqual([1, 'posthorn: there is no user carl@example.org\n'])
  })
})

describe('mail', () => {
  test('is sent, listed, shown and flagged', async () => {
    const [sent] = await send(user, 'a first mail')
    expect(sent).toMatchObject({ accepted: [user], rejected: [], reply: expect.stringMatching(/^250 2\.0\.0 /) })
    await site.arrived(user, 'a first mail')
    const [listed] = await json('mail', 'list', user, '--unseen')
    expect(listed).toMatchObject({ subject: 'a first mail', unseen: true })
    expect(await text('mail', 'list', user)).toMatch(/new .*ann@example\.org +a first mail/)
    expect(await text('mail', 'show', user, '1')).toMatch(/Subject: a first mail\n\ntext of a first mail\n$/)
    expect(await text('mail', 'show', user, '1', '--raw')).toMatch(/^Return-Path: <ann@example\.org>\r\n/)
    expect(await json('mail', 'flag', user, '1', '+F')).toMatchObject([{ flags: 'FS' }])
    expect(await json('mail', 'flag', user, '1', '-S')).toMatchObject([{ flags: 'F' }])
    const none = await site.posthorn('mail', 'show', user, '99')
    expect([none.code, none.stderr]).toEqual([1, 'posthorn: there is no message 99\n'])
  })
})

test('mail for a server with a certificate of the configuration is not sent to one that it signed for itself before', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'posthorn-certificate-'))
  const [cert, key] = [join(dir, 'mx.crt'), join(dir, 'mx.key')]
  const pair = await selfSigned({ names: ['mx.example.org'] })
  writeFileSync(cert, pair.certPem)
  writeFileSync(key, pair.keyPem, { mode: 0o600 })
  const other = await makeSite({ users: [user], body: `tls: { cert: '${cert}', key: '${key}' },` })
  mkdirSync(join(other.state, 'tls'))
  writeFileSync(other.certificate, (await selfSigned({ names: ['localhost'] })).certPem)
  const server = await other.start()
  const args = ['send', '--user', user, '--to', user, '--text', 'x', '--state', other.state]
  const withTrust = (more: NodeJS.ProcessEnv) =>
    run(command, args, { env: { POSTHORN_PASSWORD: other.password, ...more } })
  const unknown = await withTrust({})
  expect([unknown.code, unknown.stderr]).toEqual([1, expect.stringMatching(/not sent \(.*self-signed certificate/)])
  expect((await withTrust({ NODE_EXTRA_CA_CERTS: cert })).code).toBe(0)
  expect((await run(command, [...args, '--ca', cert], { env: { POSTHORN_PASSWORD: other.password } })).code).toBe(0)
  await stopCleanly(server)
  other.remove()
  rmSync(dir, { recursive: true })
})

describe('the queue', () => {
  /** Change what an export says of the envelope of its one message. */
  const edit = (directory: string, envelope: object): void => {
    const file = join(directory, readdirSync(directory).find(name => name.endsWith('.json')) ?? '')
    const message = JSON.parse(readFileSync(file, 'utf8')) as { readonly envelope: object }
    writeFileSync(file, JSON.stringify({ ...message, envelope: { ...message.envelope, ...envelope } }))
  }
  const operate = async (): Promise<void> => {
    const rows = await json('queue', 'list')
    expect(rows.map(r => [r['rcpt'], r['site'], r['state']])).toEqual([
      ['x@other.example', 'smtp:127.0.0.1:1', 'ready'],
      ['y@other.example', 'smtp:127.0.0.1:1', 'ready'],
    ])
    const id = String(rows[0]?.['id'])
    expect(await text('queue', 'count')).toBe('2\n')
    expect(await json('queue', 'show', id)).toMatchObject([{ id, queued: [{ rcpt: 'x@other.example' }] }])
    expect(await json('queue', 'hold', id)).toEqual([{ do: 'hold', deliveries: 1, dryRun: false }])
    expect(await json('queue', 'count', '--by', 'state')).toEqual([{ held: 1, ready: 1 }])
    expect(await text('queue', 'release', id)).toBe('release: 1 delivery\n')
    expect(await text('queue', 'retry', '--all', '--dry-run')).toBe('would retry: 2 deliveries\n')
    expect(await text('queue', 'count', 'state:held')).toBe('0\n')
  }
  /** What a running server and an offline queue do alike: everything but the delivery of a report. */
  const steer = async (): Promise<void> => {
    const one = 'rcpt:x@other.example'
    expect(await json('queue', 'suspend', '--sender', user, '--why', 'stolen')).toMatchObject([{ deliveries: 2 }])
    expect(await json('queue', 'suspend')).toMatchObject([{ what: { sender: user }, why: 'stolen' }])
    expect(await text('queue', 'count', 'why~stolen', 'state:held')).toBe('2\n')
    expect(await text('queue', 'resume', '--sender', user)).toBe(`resumed sender ${user}: 2 deliveries waiting\n`)
    expect(await text('queue', 'suspend', '--site', 'smtp:127.0.0.1:1')).toMatch(/suspended .*: 2 deliveries waiting/)
    expect(await text('queue', 'hold', one, '--why', 'looks odd')).toBe('hold: 1 delivery\n')
    const backup = join(site.dir, `export-${Math.random()}`)
    expect(await text('queue', 'export', backup, one)).toBe(`exported 1 message to ${backup}\n`)
    expect(await text('queue', 'export', `${backup}.mbox`, '--mbox', '--all')).toMatch(/exported 2 messages/)
    expect(readFileSync(`${backup}.mbox`, 'utf8').match(/^From ann@example\.org /gm)).toHaveLength(2)
    edit(backup, { deliverBy: { at: Date.UTC(2100, 0, 1), mode: 'notify', trace: true } })
    expect(await text('queue', 'import', backup, '--hold')).toBe('imported 1 message\n')
    expect(await text('queue', 'import', backup)).toBe(
      'imported 0 messages\n1 that imported.jsonl names as imported before were left out (--again takes them too)\n',
    )
    expect(await text('queue', 'import', backup, '--again', '--dry-run')).toBe('would import 1 message\n')
    const copies = await json('queue', 'list', one)
    expect(copies.map(row => row['state'])).toEqual(['held', 'held'])
    const [first, second] = copies.map(row => String(row['id']))
    const [shown] = await json('queue', 'show', second ?? '')
    expect(shown?.['headers']).toContain('Subject: one')
    expect(await text('queue', 'show', second ?? '')).toContain(
      'to be delivered by 2100-01-01T00:00:00.000Z, or its sender hears of it, and of each relay',
    )
    expect(await text('queue', 'show', first ?? '')).toMatch(
      /held {2}x@other\.example {2}by .*: looks odd[\s\S]*Subject: one/,
    )
    expect(await text('queue', 'drop', second ?? '')).toBe('drop: 1 delivery\n')
    expect(await text('queue', 'reroute', 'smtp:127.0.0.1:2', one, '--dry-run')).toBe('would reroute: 1 delivery\n')
    expect(await text('queue', 'release', one)).toBe('release: 1 delivery\n')
    expect(await text('queue', 'resume', '--site', 'smtp:127.0.0.1:1')).toMatch(/resumed site/)
  }
  const forPeople = async (): Promise<void> => {
    const listed = await text('queue', 'list', 'rcpt:x@other.example')
    const id = /^(\w+) +ready .*x@other\.example/m.exec(listed)?.[1] ?? ''
    expect(await text('queue', 'show', id)).toMatch(/x@other\.example waits for its next try .*connection refused/)
    const none = await site.posthorn('queue', 'drop', 'rcpt:z@other.example')
    expect([none.code, none.stderr]).toEqual([1, 'posthorn: nothing in the queue matches\n'])
    const unknown = await site.posthorn('queue', 'show', '0123456789')
    expect([unknown.code, unknown.stderr]).toEqual([1, expect.stringContaining('there is no message "0123456789"')])
  }
  const deferred = (): Promise<true> =>
    until('two deferred deliveries', async () =>
      (await json('queue', 'list', 'state:ready', 'attempts>0')).length === 2 ? true : undefined,
    )

  test('is seen and changed while the server runs, and while it does not', async () => {
    await send('x@other.example', 'one')
    await send('y@other.example', 'two')
    await deferred()
    await operate()
    await forPeople()
    await steer()
    await deferred()
    await stopCleanly(running)
    await operate()
    await steer()
    // What was changed while no server ran stands in a log of its own.
    const told = readFileSync(join(site.state, 'operators.log'), 'utf8')
    for (const event of ['delivery.held', 'delivery.dropped', 'queue.suspended', 'queue.resumed', 'message.received'])
      expect(told).toContain(`"event":"${event}"`)
    expect(told.match(/"by":"[^"]+ \(command\)"/g)?.length).toBeGreaterThan(8)
    expect(await text('queue', 'drop', '--all')).toBe('drop: 2 deliveries\n')
    expect(await text('queue', 'list')).toBe('The queue is empty.\n')
    running = await site.start()
    await send('x@other.example', 'three')
    await until('the drop of what is not being tried', async () => {
      await site.posthorn('queue', 'drop', '--all')
      return (await text('queue', 'list')) === 'The queue is empty.\n' ? true : undefined
    })
  }, 240_000)
})

describe('bin/posthorn.js', () => {
  const newest = join(root, 'node_modules/node/bin/node')
  const version = (node: string): number =>
    Number(spawnSync(node, ['-p', 'process.versions.node.split(".")[0]']).stdout)
  /** Makes a new Node seem old to the script that it runs, and to no child. */
  const disguise = `data:text/javascript,Object.defineProperty(process,'versions',{value:{...process.versions,node:'20.1.0'}});process.execve=undefined`
  const old: readonly (readonly string[])[] = [
    [newest, `--import=${disguise}`],
    ...['/usr/bin/node', '/usr/local/bin/node']
      .filter(node => version(node) > 0 && version(node) < 24)
      .map(node => [node]),
  ]
  let elsewhere: string
  beforeAll(() => {
    elsewhere = mkdtempSync(join(tmpdir(), 'posthorn-bin-'))
    mkdirSync(join(elsewhere, 'apps/posthorn'), { recursive: true })
    for (const part of ['bin', 'package.json'])
      cpSync(join(root, 'apps/posthorn', part), join(elsewhere, 'apps/posthorn', part), { recursive: true })
    symlinkSync(command, join(elsewhere, 'posthorn'))
  })
  afterAll(() => rmSync(elsewhere, { recursive: true, force: true }))

  test('works by its name, and through a link, whichever Node comes first', async () => {
    for (const file of [command, join(elsewhere, 'posthorn')]) {
      const ran = await run(file, ['--version'])
      expect([ran.code, ran.stdout, ran.stderr]).toEqual([0, '0.1.0\n', ''])
    }
  })

  test('run by an old Node works through the pinned one, hands signals on and ends as it ends', async () => {
    for (const [node, ...flags] of old) {
      const ran = await run(node ?? '', [...flags, command, 'queue', 'drop'])
      expect([ran.code, ran.stdout]).toEqual([2, ''])
      expect(ran.stderr).toMatch(/^posthorn: say which/)
    }
  })

  test('run by an old Node where there is no other says what it needs', async () => {
    for (const [node, ...flags] of old) {
      const ran = await run(node ?? '', [...flags, join(elsewhere, 'apps/posthorn/bin/posthorn.js'), 'start'])
      expect([ran.code, ran.stdout]).toEqual([1, ''])
      expect(ran.stderr).toMatch(/^posthorn needs Node\.js 24 or newer; this is v.*\nGet it from https:\/\/nodejs\.org/)
    }
  })
})
