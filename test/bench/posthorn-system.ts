import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { startPosthorn } from '../peers/posthorn.ts'
import { run } from '../peers/command.ts'
import { command } from '../peers/site.ts'
import type { Login, System } from './system.ts'

const stackPath = fileURLToPath(new URL('../../packages/stack/src/index.ts', import.meta.url))
const pluginPath = fileURLToPath(new URL('../../packages/plugin/src/index.ts', import.meta.url))

const listener = (on: boolean): string => (on ? `{ host: '127.0.0.1', port: 0 }` : 'false')

const config = (dir: string, { plugins = '', body = '', policyMs, user }: Launched): string => {
  const file = join(dir, 'posthorn.config.ts')
  writeFileSync(
    file,
    `import { defineConfig } from ${JSON.stringify(stackPath)}
import { definePlugin, pass } from ${JSON.stringify(pluginPath)}
const policy = definePlugin({
  name: 'bench-policy',
  setup: () => ({
    message: () => {
      for (const until = performance.now() + ${policyMs}; performance.now() < until; );
      return pass
    },
  }),
})
export default defineConfig({
  hostname: 'posthorn.test',
  listeners: { mx: ${listener(user === undefined)}, submission: ${listener(user !== undefined)}, submissions: false },
  domains: ['bench.test'],
  mailboxes: ['bob@bench.test'],
  limits: { connectionsPerAddress: 1000 },
  log: { format: 'json' },
  plugins: [${policyMs > 0 ? 'policy, ' : ''}${plugins}],
  ${body}
})
`,
  )
  return file
}

interface Launched {
  readonly plugins?: string
  readonly body?: string
  /** Processor time that a plugin takes for each message, in ms. */
  readonly policyMs: number
  /** Who logs in, at the submission service instead of the other. */
  readonly user?: Login
}

/** Posthorn with durability on, one server for each workload, each in one process unless it has workers. */
export const posthornSystem = async (
  sinkPort: number,
  login: Login,
  { workers = 1, policyMs = 0 }: { readonly workers?: number; readonly policyMs?: number } = {},
): Promise<System> => {
  const dir = mkdtempSync(join(tmpdir(), 'posthorn-bench-'))
  const launch = async (name: string, o: Omit<Launched, 'policyMs'>) => {
    const at = mkdtempSync(join(dir, `${name}-`))
    const state = join(at, 'var')
    const place = ['--config', config(at, { ...o, policyMs }), '--state', state]
    if (o.user !== undefined) {
      const { user, password } = o.user
      const added = await run(command, ['user', 'add', user, ...place], { env: { POSTHORN_PASSWORD: password } })
      if (added.code !== 0) throw new Error(`user add failed: ${added.stderr}`)
    }
    const args = ['start', '--json', '--workers', String(workers), ...place]
    // As Postfix has it: through a pipe the reader of the log would take part of the processors.
    return { state, running: await startPosthorn(args, { logFile: join(at, 'log') }) }
  }
  const plugins = `definePlugin({ name: 'bench-hold', setup: () => ({ message: () => ({ hold: 'bench' }) }) })`
  const accept = await launch('accept', { plugins })
  const submission = await launch('submission', {
    plugins,
    body: `tls: { cert: '${login.cert}', key: '${login.key}' },`,
    user: login,
  })
  const maildir = await launch('maildir', {})
  const relay = await launch('relay', {
    body: `trusted: ['127.0.0.0/8'], outbound: { smarthost: { host: '127.0.0.1', port: ${sinkPort}, tls: 'never' } },`,
  })
  const all = { accept, maildir, relay, large: accept, submission }
  return {
    name: workers === 1 ? 'posthorn' : `${workers} workers`,
    target: work => ({
      port: all[work].running.port(work === 'submission' ? 'submission' : 'mx'),
      to: work === 'relay' ? 'bob@elsewhere.test' : 'bob@bench.test',
    }),
    pids: work => [all[work].running.pid],
    maildir: join(maildir.state, 'mail', 'bob@bench.test'),
    stop: async () => {
      for (const { running } of [accept, maildir, relay, submission]) await running.stop()
      rmSync(dir, { recursive: true, force: true })
    },
  }
}
