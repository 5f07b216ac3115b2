import type { Clock } from '@posthorn/contracts'
import type { HookMap, HookName, Hooks, Host, Plugin } from './hooks.ts'
import type { Step } from './walk.ts'

/** A plugin as it is put into a chain; `onError: 'pass'` is the operator's word that its failures do not stop mail. */
export interface Entry {
  readonly use: Plugin
  readonly onError?: 'pass'
}

export const KINDS: { readonly [H in HookName]: HookMap[H]['kind'] } = {
  connect: 'decide',
  ehlo: 'decide',
  auth: 'decide',
  mail: 'decide',
  rcpt: 'decide',
  resolve: 'claim',
  data: 'decide',
  headers: 'decide',
  message: 'decide',
  stamp: 'gather',
  seal: 'gather',
  returnPath: 'claim',
  route: 'claim',
  egress: 'claim',
  attempt: 'decide',
  queued: 'observe',
  settled: 'observe',
  closed: 'observe',
}
const isHook = (name: string): name is HookName => Object.hasOwn(KINDS, name)

const TIERS = ['early', 'normal', 'late'] as const
type Tier = (typeof TIERS)[number]
interface Placed {
  readonly tier: Tier
  readonly step: Step
}
/** The steps of each hook that anybody listens to, while they are collected. */
export type Table = Map<HookName, Placed[]>

const fault = (plugin: Plugin, what: string, cause?: unknown): Error =>
  new Error(`plugin ${plugin.name}: ${what}`, cause === undefined ? undefined : { cause })

const place = (entry: Entry, hook: string, hooks: object, given: unknown): Placed => {
  const asObject =
    typeof given === 'object' && given !== null ? (given as { run?: unknown; order?: unknown }) : undefined
  const run = asObject === undefined ? given : asObject.run
  const order = asObject?.order ?? 'normal'
  if (typeof run !== 'function') throw fault(entry.use, `hook ${hook} is neither a function nor { run, order }`)
  if (!TIERS.includes(order as Tier))
    throw fault(entry.use, `hook ${hook} has order ${JSON.stringify(order)}; 'early' and 'late' are possible`)
  const step: Step = {
    plugin: entry.use.name,
    run: run.bind(asObject ?? hooks) as Step['run'],
    tolerated: entry.onError === 'pass',
  }
  return { tier: order as Tier, step }
}

/** Put a plugin's hooks into the table. Throws Error on a hook that does not exist or is no function. */
const addHooks = (table: Table, entry: Entry, hooks: Hooks): void => {
  if (typeof hooks !== 'object' || (hooks as unknown) === null) throw fault(entry.use, 'setup gave no hooks')
  for (const [hook, given] of Object.entries(hooks)) {
    if (given === undefined) continue
    if (!isHook(hook)) throw fault(entry.use, `there is no hook ${hook}; there are ${Object.keys(KINDS).join(', ')}`)
    const placed = place(entry, hook, hooks, given)
    table.set(hook, [...(table.get(hook) ?? []), placed])
  }
}

/** The steps of a hook, early ones first; within a tier the order in which they were added. */
export const stepsOf = (table: Table, hook: HookName): readonly Step[] => {
  const placed = table.get(hook) ?? []
  return TIERS.flatMap(tier => placed.filter(p => p.tier === tier).map(p => p.step))
}

/** Wait for a plugin, but not for ever. Rejects with an Error that names it. */
export const bounded = async <T>(
  plugin: Plugin,
  what: string,
  o: { readonly clock: Clock; readonly ms: number; readonly work: () => T | Promise<T> },
): Promise<T> => {
  let cancel = (): void => {}
  const late = new Promise<never>((_, reject) => {
    cancel = o.clock.after(o.ms, () => reject(new Error(`not done within ${o.ms} ms`)))
  })
  try {
    return await Promise.race([(async () => o.work())(), late])
  } catch (error) {
    throw fault(plugin, `${what} failed: ${error instanceof Error ? error.message : String(error)}`, error)
  } finally {
    cancel()
  }
}

/** Set up one plugin and put its hooks into the table. */
export const setUp = async (
  table: Table,
  entry: Entry,
  o: { readonly host: Host; readonly clock: Clock; readonly ms: number },
): Promise<void> => {
  const hooks = await bounded(entry.use, 'setup', { clock: o.clock, ms: o.ms, work: () => entry.use.setup(o.host) })
  addHooks(table, entry, hooks)
}
