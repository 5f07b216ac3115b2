import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Plugin } from '@posthorn/plugin'
import type { Clock, Journal, Random, Resolver } from '@posthorn/contracts'
import { checkConfig, createStack, directories, type ConfigInput, type Stack } from '@posthorn/stack'
import { byArrival, listMessages, openMaildir, readMessage, type MaildirEntry } from 'maildir-parse'
import type { LabNetwork } from './lab-network.ts'

/** One organisation of the lab, as it is asked for. */
export interface OrganisationPlan {
  /** Its mail domain; its server is `mx.<domain>`. */
  readonly domain: string
  readonly ip: string
  /** Local parts and their passwords. */
  readonly users: Readonly<Record<string, string>>
  readonly plugins?: readonly Plugin[]
  /** Anything else of the configuration. */
  readonly config?: Partial<ConfigInput>
}

/** A mail system of the lab, which can be taken down and brought back. */
export interface Organisation {
  readonly domain: string
  readonly hostname: string
  readonly ip: string
  /** Throws while it is down. */
  readonly stack: Stack
  readonly up: boolean
  /** The process ends in good order; what it accepted stays on its disk. */
  down(): Promise<void>
  bringUp(): Promise<void>
  /** The messages of a mailbox, oldest first, as text. */
  messages(user: string): Promise<readonly string[]>
  /** Where its Maildirs are. */
  readonly mail: string
}

export interface World {
  readonly network: LabNetwork
  readonly resolver: Resolver
  readonly clock: Clock
  readonly random: Random
  /** Each organisation has a directory of its own below. */
  readonly directory: string
  readonly journal: (domain: string) => Journal
}

/** Ports as on the real Internet; nothing of them is opened on this machine. */
export const ports = { mx: 25, submission: 587, submissions: 465, lmtp: 24 } as const

export const createOrganisation = async (plan: OrganisationPlan, world: World): Promise<Organisation> => {
  const hostname = `mx.${plan.domain}`
  const state = join(world.directory, plan.domain)
  mkdirSync(state, { recursive: true, mode: 0o700 })
  const config = checkConfig({
    hostname,
    domains: [plan.domain],
    listeners: { mx: false, submission: false, submissions: false, lmtp: false },
    retry: { first: '1s', most: '5s' },
    ...plan.config,
    plugins: [...(plan.plugins ?? []), ...(plan.config?.plugins ?? [])],
  })
  let stack: Stack | undefined
  let detach: (() => void)[] = []

  const bringUp = async (): Promise<void> => {
    if (stack !== undefined) return
    const fresh = await createStack(config, {
      state,
      clock: world.clock,
      random: world.random,
      network: world.network.from(plan.ip),
      resolver: world.resolver,
      journal: world.journal(plan.domain),
      smtpPort: ports.mx,
      allowAddress: () => true,
    })
    for (const [name, password] of Object.entries(plan.users))
      if (fresh.users.find(`${name}@${plan.domain}`) === undefined)
        await fresh.users.add({ name: `${name}@${plan.domain}`, password })
    await fresh.start()
    stack = fresh
    detach = (['mx', 'submission', 'submissions', 'lmtp'] as const).map(service =>
      world.network.attach(plan.ip, ports[service], wire => fresh.serve(service, wire)),
    )
  }
  await bringUp()

  return {
    domain: plan.domain,
    hostname,
    ip: plan.ip,
    mail: directories(state).mail,
    get stack() {
      if (stack === undefined) throw new Error(`${plan.domain} is down`)
      return stack
    },
    get up() {
      return stack !== undefined
    },
    bringUp,
    down: async () => {
      for (const remove of detach) remove()
      detach = []
      const old = stack
      stack = undefined
      await old?.stop(5_000)
    },
    messages: user => readAll(join(directories(state).mail, `${user}@${plan.domain}`)),
  }
}

/** Every message of a Maildir; none when nothing has been delivered yet. */
const readAll = async (path: string): Promise<readonly string[]> => {
  const maildir = await openMaildir(path).catch(() => undefined)
  if (maildir === undefined) return []
  const entries: MaildirEntry[] = []
  for await (const entry of listMessages(maildir)) entries.push(entry)
  const texts: string[] = []
  for (const entry of entries.toSorted(byArrival)) {
    const chunks: Uint8Array[] = []
    for await (const chunk of readMessage(maildir, entry)) chunks.push(chunk)
    texts.push(Buffer.concat(chunks).toString('utf8'))
  }
  return texts
}
