import { zoneResolver } from '@posthorn/dns'
import type { Answer, Resolver } from '@posthorn/contracts'
import type { Target } from '@posthorn/smtp-client'
import type { Breakage } from './broken.ts'
import { simulatedClock } from './clock.ts'
import { serveElsewhere } from './elsewhere.ts'
import { planFaults } from './faults.ts'
import { breaches } from './law.ts'
import type { Left } from './law.ts'
import { Ledger } from './ledger.ts'
import type { Letter } from './ledger.ts'
import { SimulatedNetwork } from './network.ts'
import { SimulatedOrganisation } from './organisation.ts'
import type { Surroundings } from './organisation.ts'
import { elsewhere, insiders, organisations as natures, outsiders, recipientsOf, zones } from './scene.ts'
import { happens, heal, planOf } from './trouble.ts'
import { User } from './user.ts'
import { forever, World } from './world.ts'

/** What one seed led to. */
export interface Run {
  readonly seed: number
  /** What broke the law; empty in a lawful run. */
  readonly breaches: readonly string[]
  readonly log: readonly string[]
  readonly events: number
  /** Recipients that were answered 250, and copies beyond the first, all within the published windows. */
  readonly accepted: number
  readonly doubled: number
  readonly crashes: number
  /** Virtual days. */
  readonly days: number
}

const minute = 60_000
/** After the faults are healed, everything has to come to its end in this. */
const patience = 20 * 24 * 60 * minute

/** Play one seed from the first letter to the last end, and hold it against the law. */
export const runSeed = async (seed: number, breakage?: Breakage): Promise<Run> => {
  const world = new World(seed)
  const ledger = new Ledger()
  const plan = planOf(world.chance('plan'))
  const trouble = { ...plan.trouble }
  const network = new SimulatedNetwork(world, trouble)
  const now = (): number => world.now
  const surroundings: Surroundings = {
    world,
    network,
    ledger,
    plan,
    trouble,
    resolver: (host, clock, random) => unreliableResolver({ host, clock, random, trouble, ledger, world }),
    ...(breakage && { breakage }),
  }
  for (const { name, ip, keywords } of elsewhere) {
    const clock = simulatedClock(world, forever)
    const o = { name, clock, random: world.chance(name), trouble, ledger, now, keywords }
    const log = (what: string): void => world.log(name, what)
    network.attach(ip, 25, { life: forever, serve: wire => serveElsewhere({ ...o, log }, wire) })
  }
  const organisations = natures.map(nature => new SimulatedOrganisation(nature, surroundings))
  for (const organisation of organisations) await world.finish(organisation.boot())

  const writing = planLetters(surroundings)
  planFaults({ world, plan, random: world.chance('faults'), network, organisations, ledger })
  await world.runTo(plan.periodMs)

  world.log('world', 'is healed')
  heal(trouble)
  network.healAll()
  for (const organisation of organisations) organisation.fullUntil = 0
  const stuck = await untilEmpty(world, organisations, writing)
  world.assertNothingReal()
  const found = [...stuck, ...breaches(ledger, await whatIsLeft(world, organisations))]
  for (const organisation of organisations) organisation.close()
  for (const breach of found) world.log('law', breach)
  return {
    seed,
    breaches: found,
    log: world.lines,
    events: world.events,
    ...ledger.stats,
    days: world.now / 86_400_000,
  }
}

/** The DNS as it fails: an answer takes a while, and now and then there is none. */
const unreliableResolver = (
  o: Pick<Surroundings, 'trouble' | 'ledger' | 'world'> & {
    readonly host: string
    readonly clock: ReturnType<typeof simulatedClock>
    readonly random: ReturnType<World['chance']>
  },
): Resolver => {
  const { host, clock, random, trouble, ledger, world } = o
  const inner = zoneResolver(zones)
  const ask = async <T>(name: string, look: () => Promise<Answer<T>>, signal?: AbortSignal): Promise<Answer<T>> => {
    ledger.tried(host, name, world.now)
    const fails = happens(random, trouble.dns)
    const slow = fails && random.next() < 0.5
    await clock.sleep(slow ? 5000 : random.next() * 40, signal)
    return fails ? { ok: false, why: slow ? 'timeout' : 'servfail', secure: false } : look()
  }
  return {
    mx: (name, signal) => ask(name, () => inner.mx(name), signal),
    a: (name, signal) => ask(name, () => inner.a(name), signal),
    aaaa: (name, signal) => ask(name, () => inner.aaaa(name), signal),
    txt: (name, signal) => ask(name, () => inner.txt(name), signal),
    ptr: (ip, signal) => ask(ip, () => inner.ptr(ip), signal),
    tlsa: (name, signal) => ask(name, () => inner.tlsa(name), signal),
  }
}

/** Letters at random times, by users of ours and by senders elsewhere. Says how many of them are still being handed in. */
const planLetters = ({ world, network, ledger, plan }: Surroundings): (() => number) => {
  const random = world.chance('letters')
  const clock = simulatedClock(world, forever)
  const log = (what: string): void => world.log('user', what)
  const setting = { clock, random: world.chance('users'), ledger, now: () => world.now, log }
  const inside = new User({ ...setting, network: network.from('10.2.0.1'), name: 'laptop.test' })
  const outside = new User({ ...setting, network: network.from('10.2.0.2'), name: 'mail.far.test' })
  let open = plan.messages
  for (let n = 0; n < plan.messages; n++) {
    const isInsider = random.next() < 0.65
    const people = isInsider ? insiders : outsiders
    const who = people[random.int(people.length)] ?? ''
    const nature = natures.find(({ domain }) => who.endsWith(domain)) ?? natures[random.int(natures.length)]
    if (nature === undefined) continue
    const letter = write(`t${n}`, random, {
      who,
      domain: isInsider ? undefined : nature.domain,
      host: `mx.${nature.domain}`,
    })
    ledger.letters.set(letter.token, letter)
    const target: Target = {
      protocol: 'smtp',
      host: letter.host,
      ip: nature.ip,
      port: isInsider ? 587 : 25,
      tls: { level: 'never', names: [], because: 'configuration' },
      ...(isInsider && { credentials: { user: who, password: 'secret' }, authInClear: true }),
    }
    world.after(random.next() * plan.periodMs, () => {
      void (isInsider ? inside : outside).send(letter, target).then(() => {
        open--
      })
    })
  }
  return () => open
}

const write = (
  token: string,
  random: ReturnType<World['chance']>,
  o: { readonly who: string; readonly domain: string | undefined; readonly host: string },
): Letter => {
  // A policy knows spam by its sender, and the law the letter by it.
  const sender = o.who.startsWith('spam') ? `spam${token}@far.test` : o.who
  const recipients = recipientsOf(random, o.domain).map(rcpt => {
    const notify = ([undefined, undefined, undefined, 'never', 'failure', 'all'] as const)[random.int(6)]
    return { rcpt, ...(notify !== undefined && { notify }) }
  })
  const lines = Array.from({ length: random.int(40) }, (_, i) => `${i % 5 === 0 ? '.' : ''}${token} line ${i}\r\n`)
  const text = [
    `X-Token: ${token}\r\nFrom: <${sender === '' ? o.who || 'daemon@far.test' : sender}>\r\n`,
    `To: <${recipients[0]?.rcpt ?? ''}>\r\nSubject: ${token}\r\nMessage-ID: <${token}@simulation>\r\n`,
    `Date: Thu, 01 Jan 2026 00:00:00 +0000\r\n\r\n`,
    ...lines,
    `the end of ${token}\r\n`,
  ].join('')
  return { token, sender, recipients, text, host: o.host, promises: [], doubts: 0 }
}

/** Let time pass until nothing is queued and nobody writes. Says what does not come to its end. */
const untilEmpty = async (
  world: World,
  organisations: readonly SimulatedOrganisation[],
  writing: () => number,
): Promise<readonly string[]> => {
  const end = world.now + patience
  for (let step = minute; world.now < end; step = Math.min(30 * minute, step * 1.3)) {
    await world.runTo(world.now + step)
    let left = writing()
    for (const organisation of organisations) {
      if (!organisation.up) {
        left++
        continue
      }
      for (const { what } of await world.finish(organisation.store.suspensions()))
        await world.finish(organisation.store.resume(what, 'olga'))
      await world.finish(organisation.store.change({ and: [] }, { do: 'release' }, 'olga'))
      left += await world.finish(organisation.queued())
    }
    if (left === 0) return []
  }
  return ['something does not come to its end']
}

/** What the queues still hold. */
const whatIsLeft = async (world: World, organisations: readonly SimulatedOrganisation[]): Promise<readonly Left[]> => {
  const left: Left[] = []
  for (const organisation of organisations) {
    if (!organisation.up) continue
    const { rows } = await world.finish(organisation.store.list({ and: [] }, { limit: 1000 }))
    for (const { id, rcpt } of rows) left.push({ host: organisation.host, id, rcpt })
  }
  return left
}
