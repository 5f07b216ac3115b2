import { parseMailbox, type Mailbox } from '@posthorn/address'
import type { Clock, Json, Journal, Level, Outcome, Random, Resolver } from '@posthorn/contracts'
import { zoneResolver, type ZoneRecords } from '@posthorn/dns'
import { bodyOf } from '@posthorn/message'
import { composeMessage, type Draft } from '@posthorn/mua'
import { createClient, type SmtpClient } from '@posthorn/smtp-client'
import { systemClock, systemRandom } from '@posthorn/system'
import { createLabNetwork, type LabNetwork } from './lab-network.ts'
import { createOrganisation, ports, type Organisation, type OrganisationPlan } from './organisation.ts'

/** Something that happened at one organisation, or in the DNS between them. */
export interface LabEvent {
  readonly where: string
  readonly name: string
  readonly fields: { readonly [k: string]: Json | undefined }
}

export interface LabOptions {
  readonly organisations: readonly OrganisationPlan[]
  /** Where queues and Maildirs are kept, one directory for each organisation. The caller's, who removes it. */
  readonly directory: string
  readonly clock?: Clock
  readonly random?: Random
  /** Told of everything, as it happens. */
  readonly onEvent?: (event: LabEvent) => void
}

/** Organisations, the DNS between them and their network, in this process. */
export interface Lab {
  readonly network: LabNetwork
  readonly resolver: Resolver
  /** May be changed while the lab runs. */
  readonly zones: Record<string, ZoneRecords>
  organisation(domain: string): Organisation
  /** Compose a message as a user of an organisation and submit it there: TLS, AUTH, and one outcome per recipient. */
  submit(
    as: { readonly user: string; readonly domain: string },
    message: Omit<Draft, 'from'>,
  ): Promise<readonly Outcome[]>
  stop(): Promise<void>
}

/** The address of the users' machines: none of the organisations. */
const userIp = '198.51.100.7'

export const createLab = async (o: LabOptions): Promise<Lab> => {
  const clock = o.clock ?? systemClock
  const random = o.random ?? systemRandom
  const network = createLabNetwork()
  const zones: Record<string, ZoneRecords> = Object.fromEntries(o.organisations.flatMap(zonesOf))
  const tell = (event: LabEvent): void => o.onEvent?.(event)
  const resolver = watched(zoneResolver(zones), tell)
  const organisations = new Map<string, Organisation>()
  const world = {
    network,
    resolver,
    clock,
    random,
    directory: o.directory,
    journal: (domain: string) => journalOf(domain, tell),
  }
  for (const plan of o.organisations) organisations.set(plan.domain, await createOrganisation(plan, world))
  const mua: SmtpClient = createClient({ network: network.from(userIp), clock, hostname: 'laptop.test' })
  const organisation = (domain: string): Organisation => {
    const found = organisations.get(domain)
    if (found === undefined) throw new Error(`the lab has no ${domain}; it has ${[...organisations.keys()].join(', ')}`)
    return found
  }

  return {
    network,
    resolver,
    zones,
    organisation,
    submit: async (as, message) => {
      const { hostname, ip } = organisation(as.domain)
      const from = `${as.user}@${as.domain}`
      const password = o.organisations.find(plan => plan.domain === as.domain)?.users[as.user]
      if (password === undefined) throw new Error(`${as.domain} has no user ${as.user}`)
      const composed = await composeMessage({ ...message, from })
      tell({ where: 'laptop', name: 'mua.composed', fields: { from, size: composed.bytes.byteLength } })
      return mua.send(
        {
          returnPath: mailbox(from),
          recipients: composed.recipients.map(to => ({ to: mailbox(to) })),
          body: bodyOf(composed.bytes),
          smtputf8: false,
          eightBit: '8bitmime',
          requireTls: false,
        },
        {
          protocol: 'smtp',
          host: hostname,
          ip,
          port: ports.submission,
          tls: { level: 'encrypt', names: [hostname], because: 'configuration' },
          credentials: { user: from, password },
        },
        new AbortController().signal,
      )
    },
    stop: async () => {
      await mua.close()
      for (const each of organisations.values()) await each.down()
    },
  }
}

const mailbox = (text: string): Mailbox => {
  const parsed = parseMailbox(text)
  if (parsed === undefined) throw new Error(`${JSON.stringify(text)} is not an address`)
  return parsed
}

const zonesOf = ({ domain, ip }: OrganisationPlan): readonly (readonly [string, ZoneRecords])[] => [
  [domain, { mx: [[10, `mx.${domain}`]], txt: ['v=spf1 mx -all'] }],
  [`mx.${domain}`, { a: [ip] }],
]

/** Says what was looked up, which is a step of the road. */
const watched = (resolver: Resolver, tell: (event: LabEvent) => void): Resolver => ({
  ...resolver,
  mx: async (name, signal) => {
    const answer = await resolver.mx(name, signal)
    tell({
      where: 'dns',
      name: 'dns.mx',
      fields: {
        domain: name,
        answer: answer.ok ? answer.records.map(r => `${r.preference} ${r.exchange}`).join(', ') : answer.why,
      },
    })
    return answer
  },
})

const journalOf = (
  where: string,
  tell: (event: LabEvent) => void,
  bound: { readonly [k: string]: Json } = {},
): Journal => ({
  event: (name, fields, _level?: Level) => tell({ where, name, fields: { ...bound, ...fields } }),
  child: fields => journalOf(where, tell, { ...bound, ...fields }),
})
