import type { Intake, Transaction } from '@posthorn/contracts'
import { createChain, definePlugin, permit, withoutHost } from '@posthorn/plugin'
import { accept, reject } from '@posthorn/reply'
import { createListener } from '@posthorn/smtp-listener'
import { systemClock as clock, systemRandom as random } from '@posthorn/system'

/** A message as a next hop was given it. */
interface Handed {
  readonly transaction: Transaction
  readonly subject: string
}

/** A server that takes mail for every address but `nobody@…`, and keeps what it was told of each message. */
export interface NextHop {
  readonly port: number
  readonly handed: readonly Handed[]
  stop(): Promise<void>
}

const anybody = definePlugin({
  name: 'anybody',
  setup: () => ({
    rcpt: () => permit,
    resolve: ({ to }) => (to.local === 'nobody' ? reject(550, '5.1.1', 'No such user here') : { mailbox: to.local }),
  }),
})
const taken = accept(250, '2.0.0', 'Ok')

/** Start one on loopback; `dsn` says whether it offers delivery reports (RFC 3461). */
export const startNextHop = async (o: { readonly dsn: boolean }): Promise<NextHop> => {
  const handed: Handed[] = []
  const intake: Intake = {
    begin: transaction => ({
      id: 'kept',
      write: () => undefined,
      end: () => ({ size: 0, open: async function* () {} }),
      commit: headers => {
        handed.push({ transaction, subject: headers.first('subject') ?? '' })
        return taken
      },
      abort: () => undefined,
    }),
  }
  const journal = { event: () => undefined, child: () => journal }
  const chain = await createChain([anybody], { host: withoutHost, clock })
  const listener = createListener(
    { name: 'hop', origin: 'mx', protocol: 'smtp', hostname: 'hop.far.test', chain, intake, dsn: o.dsn },
    { clock, random, journal },
  )
  const { port } = await listener.listen({ host: '127.0.0.1', port: 0 })
  return { port, handed, stop: () => listener.close() }
}
