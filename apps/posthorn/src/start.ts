import { join } from 'node:path'
import type { LogStream } from '@posthorn/journal'
import { createStack, formatOf, runService, type ListenerAddress, type Stack } from '@posthorn/stack'
import { warningToRoot } from './as-root.ts'
import { Crew } from './crew.ts'
import { prepareDevelopmentUser, type DevelopmentUser } from './development-user.ts'
import { serveControl, type Control } from './control.ts'
import { operationsOf, type OperationDeps } from './queue-operations.ts'
import { removeRunning, writeRunning } from './running.ts'
import { loadSettings, type Settings } from './settings.ts'
import { socketPlace } from './socket-place.ts'
import { terminal, type Terminal } from './terminal.ts'
import { keepThreadsSmall } from './thread-nursery.ts'
import { startWatchdog } from './watchdog.ts'
import { collectYoungGarbage } from './young-garbage.ts'

export interface StartOptions {
  readonly config?: string
  readonly state?: string
  readonly json?: boolean
  readonly send?: boolean
  readonly anyPort?: boolean
  readonly workers?: number
}

/** `posthorn start`: run until SIGTERM or SIGINT. */
export const start = async (o: StartOptions): Promise<void> => {
  const warning = warningToRoot()
  if (warning !== undefined) process.stderr.write(`posthorn: ${warning}\n`)
  const settings = await loadSettings(o)
  const { state } = settings
  const out = terminal(o.json === true)
  let control: Control | undefined
  let stopWatching: (() => void) | undefined
  const stopCollecting = collectYoungGarbage()
  keepThreadsSmall()
  const make = async (logTo: LogStream): Promise<Crew | Stack> =>
    settings.config.workers > 1
      ? Crew.open(settings, o, logTo)
      : createStack(settings.config, { state, logTo, json: o.json === true })
  await runService(make, {
    onReady: async (listeners, stack) => {
      stopWatching = startWatchdog({
        silenceMs: settings.config.timeouts.worker,
        format: formatOf(settings.config, { logTo: process.stdout, json: o.json === true }),
        journal: stack.journal,
      })
      const user = settings.development ? await prepareDevelopmentUser(stack.users, state) : undefined
      const place = socketPlace(state, 'control.sock')
      const { queue, journal } = stack
      const dispatchers = stack instanceof Crew ? stack.dispatchers : dispatchersOf(stack)
      control = await serveControl(place, operationsOf(queue, { journal, ...dispatchers }))
      try {
        const { hostname, tls } = settings.config
        const selfSigned = tls === undefined ? { selfSigned: join(state, 'tls', 'self-signed.crt') } : {}
        writeRunning(state, { pid: process.pid, control: place.path, hostname, ...selfSigned, listeners })
      } catch (error) {
        // The other commands won't find us, but a full disk must not keep the queue from being emptied.
        stack.journal.event('error', { what: 'run.json', why: String(error) }, 'error')
      }
      out.value({ event: 'ready', pid: process.pid, listeners })
      if (!out.json) welcome(out, settings, listeners, user)
    },
    onStop: async () => {
      // The command must not find a server that is about to go.
      removeRunning(state)
      await control?.close()
    },
  })
  stopCollecting()
  stopWatching?.()
}

const dispatchersOf = ({ dispatcher }: Stack): Required<Pick<OperationDeps, 'giveBack' | 'whyWait'>> => ({
  giveBack: (site, why) => dispatcher.giveBack(site, why),
  whyWait: held => held.map(({ site, id }) => dispatcher.whyWaits(site, id)),
})

const welcome = (
  out: Terminal,
  { development, config, state }: Settings,
  listeners: Readonly<Record<string, ListenerAddress>>,
  user: DevelopmentUser | undefined,
): void => {
  const place = (l: ListenerAddress): string => ('path' in l ? l.path : `${l.host}:${l.port}`)
  const note: Readonly<Record<string, string>> = {
    submission: 'STARTTLS, then log in',
    submissions: 'TLS from the start, then log in',
  }
  out.line(
    out.bold(
      `Posthorn is running${development ? ' in development mode' : ''} as ${config.hostname}; its state is in ${state}`,
    ),
  )
  if (development && config.outbound === 'trap')
    out.line('Mail for other domains goes into a trap and never leaves this machine (--send lets it out).')
  out.line()
  for (const [name, l] of Object.entries(listeners))
    out.line(`  ${name.padEnd(12)} ${place(l).padEnd(18)} ${out.dim(note[name] ?? '')}`)
  if (user !== undefined) {
    const submission = listeners['submission']
    out.line(`  ${'user'.padEnd(12)} ${user.name}   password ${out.bold(user.password)}`)
    out.line('\nIn another terminal, send a first message and read it:\n')
    const here = state === `${process.cwd()}/var` ? '' : ` --state ${state}`
    out.line(`  npx posthorn send --to ${user.name} --subject Hello --text "My first mail"${here}`)
    out.line(`  npx posthorn mail list ${user.name}${here}`)
    out.line(`  npx posthorn mail show ${user.name} 1${here}`)
    if (submission !== undefined && 'port' in submission) {
      out.line('\nOr with any other client, such as:\n')
      out.line(
        `  swaks --server 127.0.0.1:${submission.port} -tls -au ${user.name} -ap ${user.password} --to ${user.name}`,
      )
    }
  }
  out.line(`\nStop it with Ctrl-C.\n`)
}
