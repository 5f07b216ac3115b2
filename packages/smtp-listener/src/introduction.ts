import { encodeReply, ok } from '@posthorn/reply'
import type { Awaitable, Forwarded } from '@posthorn/contracts'
import type { ClientAttributes, Command } from '@posthorn/smtp'
import { isName } from './sasl/text.ts'
import type { Session } from './session.ts'
import type { Said } from './stage.ts'

/** What a trusted client said of the one it speaks for, and what is not in the contexts of plugins. */
export interface Introduction {
  /** Instead of the name in EHLO: that is only what the one in between calls itself. */
  readonly helo?: string
  /** How that client speaks to the one in between. */
  readonly protocol?: 'SMTP' | 'ESMTP'
}

/** Whom a session is about, once XCLIENT has said so. */
export interface NewClient {
  readonly ip: string
  readonly port: number
  readonly user: string | undefined
  readonly introduction: Introduction
}

/** In no network that an operator trusts. */
const nowhere = '0.0.0.0'

const endpointOf = (said: ClientAttributes, { ip, port }: { readonly ip: string; readonly port: number }) => ({
  ip: said.ip === undefined ? ip : (said.ip ?? nowhere),
  // The port of another address would be a lie.
  port: said.port === undefined ? (said.ip === undefined ? port : 0) : (said.port ?? 0),
})

/** XCLIENT: all that is known of the client is replaced, and the session is back at its greeting. */
export const introduce = (session: Session, { attributes }: Extract<Command, { verb: 'XCLIENT' }>): Awaitable<Said> => {
  const { helo, protocol, login, name, toIp, toPort } = attributes
  const { ip: by, port } = session.connection
  const endpoint = endpointOf(attributes, { ip: by, port })
  const user = typeof login === 'string' && isName(login) ? login : undefined
  const introduction: Introduction = {
    ...(typeof helo === 'string' ? { helo } : {}),
    ...(protocol === undefined ? {} : { protocol }),
  }
  return session.become({ ...endpoint, user, introduction }, () =>
    session.event('session.introduced', {
      by,
      ...introduction,
      user,
      name: name ?? undefined,
      to: typeof toIp === 'string' ? { ip: toIp, port: toPort ?? 0 } : undefined,
    }),
  )
}

const without = (said: object): Forwarded =>
  Object.fromEntries(Object.entries(said).filter(([, value]) => value !== null))

/**
 * XFORWARD: each command adds to what was said, and takes away what is unavailable. It holds for the next transaction. Without an address
 * the message began where it comes from, and nothing else said of a client counts.
 */
export const forward = (session: Session, { attributes }: Extract<Command, { verb: 'XFORWARD' }>): Said => {
  const { address, ident } = attributes
  session.forwarded =
    address === null
      ? { source: 'local', ...(typeof ident === 'string' ? { ident } : {}) }
      : without({ ...session.forwarded, ...attributes })
  return encodeReply(ok)
}
