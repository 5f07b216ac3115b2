import type { Host } from './hooks.ts'

/**
 * A host for chains whose plugins need none, such as those of a small stack put together by hand: `createChain(plugins, { host:
 * withoutHost, clock })`. What is logged is dropped; `signal` never aborts; whoever reads anything else gets an Error that names
 * the plugin and what it asked for, at set-up if it asks there.
 */
export const withoutHost = (plugin: string): Host => {
  const absent = (what: string): never => {
    throw new Error(`plugin ${plugin} asks for ${what}, and this chain was made without a host`)
  }
  return {
    get kv() {
      return absent('kv')
    },
    get dns() {
      return absent('dns')
    },
    get clock() {
      return absent('clock')
    },
    get random() {
      return absent('random')
    },
    get probe() {
      return absent('probe')
    },
    get inject() {
      return absent('inject')
    },
    get pause() {
      return absent('pause')
    },
    signal: new AbortController().signal,
    log: () => undefined,
  }
}
