import { definePlugin, pass, permit } from '@posthorn/plugin'
import type { Plugin } from '@posthorn/plugin'

/** Who has logged in may send to anybody: permits every recipient, and nobody else anything (RFC 6409 §3.1). */
export const submissionRelay = (): Plugin =>
  definePlugin({
    name: 'submission-relay',
    setup: () => ({ rcpt: (_recipient, { user }) => (user === undefined ? pass : permit) }),
  })
