import { definePlugin, pass } from '@posthorn/plugin'
import type { Plugin } from '@posthorn/plugin'

/** Removes what comes from a sender whose name begins with `spam`, so that a policy removes mail now and then. */
export const discardSpam = (): Plugin =>
  definePlugin({
    name: 'discard-spam',
    setup: () => ({
      message: (_message, ctx) => (ctx.sender?.local.startsWith('spam') === true ? { discard: 'spam' } : pass),
    }),
  })

/** Holds what comes from Dan, for an operator to look at. */
export const holdDan = (): Plugin =>
  definePlugin({
    name: 'hold-dan',
    setup: () => ({
      message: (_message, ctx) => (ctx.sender?.local === 'dan' ? { hold: 'it is from Dan' } : pass),
    }),
  })
