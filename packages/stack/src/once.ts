import type { Hooks, Plugin } from '@posthorn/plugin'

/** A plugin that stands in several chains is set up and stopped once; the chains share its hooks, and so its state. */
export const once = (plugin: Plugin): Plugin => {
  let hooks: Promise<Hooks> | undefined
  let stopped: Promise<void> | undefined
  return {
    ...plugin,
    setup: host => (hooks ??= Promise.resolve(plugin.setup(host))),
    stop: () => (stopped ??= Promise.resolve(plugin.stop?.())),
  }
}
