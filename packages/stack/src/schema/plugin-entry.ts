import { z } from 'zod'
import type { Plugin } from '@posthorn/plugin'
import { serviceNames } from './listeners.ts'

const isPlugin = (x: unknown): x is Plugin =>
  typeof x === 'object' && x !== null && 'name' in x && 'setup' in x && typeof x.setup === 'function'
const plugin = z.custom<Plugin>(isPlugin, {
  error: 'is not a plugin: call its factory, as in greylist({ delay: "5m" })',
})
/** A plugin, alone or with who asks it and what becomes of its failures. */
export const pluginEntry = z.union([
  plugin,
  z.strictObject({
    use: plugin,
    /** The services that ask it; all when absent. Hooks of queue and delivery are asked for every message. */
    on: z.array(z.enum(serviceNames)).optional(),
    /** Go on when it fails, instead of deferring the transaction. */
    onError: z.literal('pass').optional(),
  }),
])
