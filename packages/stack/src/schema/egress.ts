import { z } from 'zod'
import { port, secret } from './value.ts'

const proxyPlace = { host: z.string().min(1), port: port.min(1) }
/** From which address connections leave, and through which proxy. */
export const egress = z.strictObject({
  /** Addresses of this machine to send from; the system chooses when absent. */
  source: z.strictObject({ ipv4: z.ipv4().optional(), ipv6: z.ipv6().optional() }).prefault({}),
  /** Through which all mail for other people's servers goes. */
  proxy: z
    .union([
      z.strictObject({
        socks5: z.strictObject({ ...proxyPlace, user: z.string().min(1).optional(), password: secret.optional() }),
      }),
      z.strictObject({ haproxy: z.strictObject(proxyPlace) }),
    ])
    .optional(),
})
