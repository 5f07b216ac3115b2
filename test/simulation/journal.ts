import type { Journal, Json } from '@posthorn/contracts'
import type { Ledger } from './ledger.ts'
import type { Life, World } from './world.ts'

type Fields = { readonly [k: string]: Json | undefined }

const text = (fields: Fields): string =>
  Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${typeof value === 'string' ? value.split('\n', 1)[0] : JSON.stringify(value)}`)
    .join(' ')

/** A journal that writes to the log of the run, and into the ledger what the law needs. A dead process says nothing. */
export const noting = (
  o: { readonly host: string; readonly world: World; readonly ledger: Ledger; readonly life: Life },
  bound: Fields = {},
): Journal => ({
  event: (name, more, level) => {
    if (!o.life.alive) return
    const fields = { ...bound, ...more }
    if (level !== 'debug') o.world.log(o.host, `${name} ${text(fields)}`)
    note(o, name, fields)
  },
  child: fields => noting(o, { ...bound, ...fields }),
})

const said = (value: Json | undefined): string => (typeof value === 'string' ? value : '')

const note = (
  { host, world, ledger }: { readonly host: string; readonly world: World; readonly ledger: Ledger },
  name: string,
  fields: Fields,
): void => {
  const at = world.now
  const id = said(fields['id'])
  if (name === 'delivery.unknown') ledger.excuse({ at, host, window: 'unknown', id })
  if (name === 'error' && fields['where'] === 'settle') ledger.excuse({ at, host, window: 'store' })
  if (name === 'delivery.dropped') ledger.discarded.add(said(fields['sender']))
  if (name === 'delivery.bounced' || name === 'delivery.expired')
    ledger.endings.push({
      at,
      host,
      event: name,
      id,
      rcpt: said(fields['rcpt']),
      from: said(fields['from']),
      site: said(fields['site']),
      attempt: Number(fields['attempt']),
      reported: fields['reported'] as boolean | undefined,
    })
}
