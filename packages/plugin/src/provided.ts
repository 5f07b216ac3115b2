import type { Outcome } from '@posthorn/contracts'
import type { Host, Message, OnDelivery, Plugin } from './hooks.ts'

/** A plugin's transport with its host bound. Never rejects: a plugin that throws has deferred. */
export type BoundTransport = (arg: string, message: Message, ctx: OnDelivery) => Promise<Outcome>

const FATES: ReadonlySet<unknown> = new Set(['delivered', 'relayed', 'expanded', 'deferred', 'failed', 'unknown'])

const isOutcome = (x: unknown): x is Outcome => {
  if (typeof x !== 'object' || x === null) return false
  const { fate, phase, cause } = x as { readonly [k: string]: unknown }
  return FATES.has(fate) && typeof phase === 'string' && typeof cause === 'string'
}

const bind =
  (
    plugin: Plugin,
    name: string,
    o: { readonly host: Host; readonly failed: (error: unknown) => void },
  ): BoundTransport =>
  async (arg, message, ctx) => {
    try {
      const outcome: unknown = await plugin.provides?.transports?.[name]?.(arg, message, ctx, o.host)
      if (isOutcome(outcome)) return { ...outcome }
      throw new TypeError(`transport ${name} gave no outcome`)
    } catch (error) {
      o.failed(error)
      return { fate: 'deferred', phase: 'local', cause: `transport ${name} failed`, status: '4.3.0' }
    }
  }

/** The transports of all plugins by name. Throws Error when two provide the same. */
export const transportsOf = (
  plugins: readonly Plugin[],
  o: { readonly host: (plugin: string) => Host; readonly failed: (plugin: string, error: unknown) => void },
): ReadonlyMap<string, BoundTransport> => {
  const transports = new Map<string, BoundTransport>()
  for (const plugin of plugins)
    for (const name of Object.keys(plugin.provides?.transports ?? {})) {
      if (transports.has(name))
        throw new Error(`plugin ${plugin.name}: another plugin provides transport ${name} already`)
      transports.set(name, bind(plugin, name, { host: o.host(plugin.name), failed: e => o.failed(plugin.name, e) }))
    }
  return transports
}

/** The EHLO lines of all plugins. Throws Error on one that could not be sent (RFC 5321 §4.1.1.1). */
export const ehloOf = (plugins: readonly Plugin[]): readonly string[] =>
  plugins.flatMap(plugin =>
    (plugin.provides?.ehlo ?? []).map(line => {
      if (!/^[A-Za-z0-9][A-Za-z0-9-]*(?: [\x21-\x7e]+)*$/.test(line) || line.length > 400)
        throw new Error(`plugin ${plugin.name}: ${JSON.stringify(line)} is no EHLO keyword with parameters`)
      return line
    }),
  )
