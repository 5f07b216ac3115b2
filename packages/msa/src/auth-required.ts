import { definePlugin, pass } from '@posthorn/plugin'
import type { Plugin } from '@posthorn/plugin'
import { authenticationRequired } from '@posthorn/reply'

/** No mail from anybody who has not logged in: 530 5.7.0 at MAIL (RFC 6409 §4.3, RFC 4954 §6). */
export const authRequired = (): Plugin =>
  definePlugin({
    name: 'auth-required',
    setup: () => ({
      mail: { order: 'early', run: (_sender, { user }) => (user === undefined ? authenticationRequired : pass) },
    }),
  })
