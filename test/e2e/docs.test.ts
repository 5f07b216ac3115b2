// What the documents show is run as it stands, so that whoever copies it gets what the text promises.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openUsers } from '@posthorn/msa'
import { systemClock, systemRandom } from '@posthorn/system'
import { selfSigned } from '@posthorn/tls-policy'
import { has, run, until, type Ran } from '../peers/command.ts'
import { startPosthorn } from '../peers/posthorn.ts'
import { blocksOf, commandsOf, documents, examplesOf, root, type Example } from './document.ts'
import { serverTrials } from './server-trials.ts'

const node = ['--disable-warning=ExperimentalWarning', '-C', '@posthorn/source']
const posthorn = join(root, 'apps/posthorn/src/main.ts')

/** In the tree, so that the packages are found; git and the linters look away. */
const scratch = mkdtempSync(join(root, '.examples-'))
const directoryOf = (document: string): string => join(scratch, document.replaceAll(/[/.]/g, '-'))
const temporary = join(scratch, 'tmp')

const inDocument = (document: string, args: readonly string[]): Promise<Ran> =>
  run(process.execPath, [...node, ...args], {
    cwd: directoryOf(document),
    env: {
      TMPDIR: temporary,
      NO_COLOR: '1',
      POSTHORN_CLIENT_SECRET: 'a secret',
      MAIL_DATABASE: 'postgres://db.example.org/mail',
    },
    timeoutMs: 50_000,
  })

const isConfiguration = (example: Example): boolean => example.text.includes('export default defineConfig(')
/** Runs until it is told to stop, and says first where it listens. */
const isServer = (example: Example): boolean => example.text.includes("process.once('SIGTERM'")
/** What `// → text` beside a line promises that it prints. */
const promisesOf = (example: Example): readonly string[] =>
  [...example.text.matchAll(/\/\/ → (.*)$/gm)].map(m => m[1] ?? '')

const withExamples = documents.filter(document => examplesOf(document).length > 0)

/** `posthorn check` looks at the files that a configuration names: they are here, in place of those under /etc and /var. */
const etc = join(scratch, 'etc')
const state = join(scratch, 'state')
const onThisMachine = (text: string): string =>
  text.replaceAll('/etc/posthorn/', `${etc}/`).replaceAll('/var/lib/posthorn', state)

beforeAll(async () => {
  mkdirSync(temporary)
  mkdirSync(etc)
  const { certPem, keyPem } = await selfSigned({ names: ['mx.example.org', 'mx.example.net'] })
  const pair = {
    'fullchain.pem': certPem,
    'privkey.pem': keyPem,
    'net-fullchain.pem': certPem,
    'net-privkey.pem': keyPem,
    'client.crt': certPem,
    'client.key': keyPem,
  }
  const files = { ...pair, 'smarthost-password': 'x', 'refresh-token': 'x' }
  for (const [name, text] of Object.entries(files)) writeFileSync(join(etc, name), text)
  mkdirSync(state, { mode: 0o700 })
  const users = await openUsers(join(state, 'users.json'), { clock: systemClock, random: systemRandom })
  await users.add({ name: 'ann@example.org', password: 'a password of eighteen letters' })
  writeFileSync(
    join(scratch, 'tsconfig.json'),
    JSON.stringify({ extends: '../tsconfig.test.json', include: ['**/*.ts'], exclude: [] }),
  )
  for (const document of withExamples) {
    mkdirSync(directoryOf(document))
    for (const example of examplesOf(document)) {
      const text = isConfiguration(example) ? onThisMachine(example.text) : example.text
      writeFileSync(join(directoryOf(document), example.file), text)
    }
  }
})
afterAll(() => rmSync(scratch, { recursive: true, force: true }))

test('all examples of all documents compile under our own compiler settings', { timeout: 120_000 }, async () => {
  const { stdout, code } = await run(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', scratch])
  expect(stdout).toBe('')
  expect(code).toBe(0)
})

const unit = blocksOf('docs/operate.md').find(block => block.language === 'ini')?.text ?? ''
test.skipIf(!has('systemd-analyze'))('systemd-analyze finds no fault in the unit of docs/operate.md', async () => {
  const file = join(scratch, 'posthorn.service')
  // The program must be there to be named.
  writeFileSync(file, unit.replace('/opt/posthorn/node_modules/.bin/posthorn', process.execPath))
  const { code, stderr } = await run('systemd-analyze', ['verify', file])
  expect(unit).toContain('ExecStart=/opt/posthorn/node_modules/.bin/posthorn start --config')
  // It may grumble at other units of the machine; ours is named in every line about it.
  expect(stderr.split('\n').filter(line => line.includes('posthorn.service'))).toEqual([])
  expect(code).toBe(0)
})

test('no block is indented, where it would go untried', () => {
  const indented = documents.filter(document => /^[ \t]+```/m.test(readFileSync(join(root, document), 'utf8')))
  expect(indented).toEqual([])
})

test('every package has a README, code blocks are in languages that are tried here, and files of one document have names of their own', () => {
  const tried = new Set(['ts', 'sh', 'json', 'ini', 'dockerfile', 'text'])
  const wrong: string[] = []
  for (const document of documents) {
    for (const { language, line } of blocksOf(document)) if (!tried.has(language)) wrong.push(`${document}:${line}`)
    const names = examplesOf(document).map(example => example.file)
    if (new Set(names).size !== names.length) wrong.push(document)
  }
  expect(wrong).toEqual([])
})

describe.each(withExamples)('%s', document => {
  for (const example of examplesOf(document)) {
    const { file, line } = example
    if (isConfiguration(example))
      test(`line ${line}: the configuration ${file} is accepted`, { timeout: 60_000 }, async () => {
        const checked = await inDocument(document, [posthorn, 'check', '--config', file])
        expect(checked).toMatchObject({ code: 0, stderr: '' })
        expect(checked.stdout).toContain('The configuration is right.')
      })
    else if (isServer(example))
      test(`line ${line}: the server ${file} does what the text says`, { timeout: 60_000 }, async () => {
        const trial = serverTrials[file]
        if (trial === undefined) throw new Error(`${file} is a server and needs a trial in server-trials.ts`)
        expect(await trial({ file, directory: directoryOf(document), node })).toBe(0)
      })
    else
      test(`line ${line}: ${file} runs and prints what it says`, { timeout: 60_000 }, async () => {
        const { code, stdout, stderr } = await inDocument(document, [file])
        expect({ code, stderr }).toMatchObject({ code: 0 })
        let from = 0
        for (const promised of promisesOf(example)) {
          expect(stdout.slice(from)).toContain(promised)
          from = stdout.indexOf(promised, from) + promised.length
        }
      })
  }
})

describe('the commands in the documents', () => {
  const commands = documents.flatMap(document => commandsOf(document).map(command => ({ document, command })))

  test('npm scripts are there', () => {
    const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: Record<string, string> }
    const named = commands
      .filter(({ command }) => !command.includes(' -w '))
      .flatMap(({ command }) => [...command.matchAll(/\bnpm (?:run )?(start|test|(?<=run )[\w:-]+)/g)].map(m => m[1]))
    expect(named.length).toBeGreaterThan(5)
    expect(named.filter(script => script !== undefined && manifest.scripts[script] === undefined)).toEqual([])
  })

  test('posthorn knows each subcommand and each option that is shown', { timeout: 120_000 }, async () => {
    const groups = new Set(['queue', 'user', 'mail'])
    const shown = new Map<string, string[]>()
    for (const { document, command } of commands) {
      // The last one: before it a user or a container may be called so.
      const [, text] = /^(?:.*[/\s])?posthorn (?:-- )?([a-z].*)$/.exec(command) ?? []
      if (text === undefined) continue
      const words = text.split(/\s+/)
      const path = words.slice(0, groups.has(words[0] ?? '') ? 2 : 1).join(' ')
      const options = words.filter(word => word.startsWith('--'))
      shown.set(path, [...(shown.get(path) ?? []), ...options.map(option => `${option} (${document})`)])
    }
    expect(shown.size).toBeGreaterThan(10)
    const paths = [...shown.keys()]
    const unknown: string[] = []
    const lane = async (): Promise<void> => {
      for (let path = paths.pop(); path !== undefined; path = paths.pop()) {
        const { stdout } = await run(process.execPath, [...node, posthorn, ...path.split(' '), '--help'])
        if (!stdout.includes(`Usage: posthorn ${path}`)) unknown.push(path)
        unknown.push(...(shown.get(path) ?? []).filter(option => !stdout.includes(`${option.split(' ')[0]} `)))
      }
    }
    await Promise.all([lane(), lane(), lane()])
    expect(unknown).toEqual([])
  })

  test('the first mail of README is sent, listed, shown and gone from the queue', { timeout: 90_000 }, async () => {
    const state = join(scratch, 'first-mail')
    const user = 'me@posthorn.test'
    mkdirSync(state)
    writeFileSync(join(state, 'password'), 'a password of eighteen letters')
    const on = { host: '127.0.0.1', port: 0 }
    const listeners = { mx: on, submission: on, submissions: on }
    const settings = { hostname: 'posthorn.test', domains: ['posthorn.test'], listeners, outbound: 'trap' }
    writeFileSync(join(state, 'config.ts'), `export default ${JSON.stringify(settings)}`)
    const command = async (line: string): Promise<string> => {
      const words = [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(m => m[1] ?? m[2] ?? '')
      const { code, stdout, stderr } = await run(process.execPath, [...node, posthorn, ...words, '--state', state], {
        env: { NO_COLOR: '1', POSTHORN_PASSWORD: 'a password of eighteen letters' },
      })
      expect({ line, code, stderr }).toEqual({ line, code: 0, stderr: '' })
      return stdout
    }
    const shown = commandsOf('README.md')
      .filter(line => line.startsWith('npx posthorn'))
      .slice(0, 4)
    const [send = '', list = '', show = '', queue = ''] = shown.map(line => line.slice('npx posthorn '.length))

    await command(`user add ${user} --password-file ${state}/password`)
    const server = await startPosthorn(['start', '--json', '--config', join(state, 'config.ts'), '--state', state])
    try {
      expect(await command(`${send} --user ${user}`)).toContain(`sent to ${user}: 250 2.0.0 Ok: queued as`)
      await until('the message is listed', async () =>
        (await command(list).catch(() => '')).includes('Hello') ? true : undefined,
      )
      expect(await command(show)).toContain('My first mail')
      expect(await command(queue)).toContain('The queue is empty.')
    } finally {
      expect(await server.stop()).toBe(0)
    }
  })

  test('npm run demo prints the road that README shows', { timeout: 90_000 }, async () => {
    const shown = blocksOf('README.md').find(block => block.text.includes('One. A message from one organisation'))
    const ran = await run(process.execPath, [...node, posthorn, 'demo'], { env: { TMPDIR: temporary, NO_COLOR: '1' } })
    // Ids and sizes differ each time, and steps of two organisations may change places.
    const steps = (text: string): readonly string[] =>
      text
        .split('\n')
        .map(line =>
          line
            .trim()
            .replace(/\b0[0-9A-Z]{14}\b/, 'ID')
            .replace(/\b\d+ octets/, 'N octets'),
        )
        .filter(line => line !== '')
        .toSorted()
    expect(ran.code).toBe(0)
    expect(steps(ran.stdout)).toEqual(steps(shown?.text ?? ''))
  })
})
