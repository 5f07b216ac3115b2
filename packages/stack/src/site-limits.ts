import { rateText, type SiteLimits } from '@posthorn/mta'
import type { Config } from './schema.ts'

/** The configured limits as the dispatcher takes them. */
export const siteLimits = (config: Pick<Config, 'sites'>): SiteLimits =>
  Object.fromEntries(
    Object.entries(config.sites).map(([name, { connections, rate, recipients, perConnection, chunking }]) => [
      name,
      {
        ...(connections !== undefined && { connections }),
        ...(rate !== undefined && { rate }),
        ...(recipients !== undefined && { recipients }),
        ...(perConnection !== undefined && { messagesPerConnection: perConnection }),
        ...(chunking !== undefined && { chunking }),
      },
    ]),
  )

/** Each configured limit in a few words, such as `*.google.com: 5 connections, 100/min`. */
export const limitTexts = (config: Pick<Config, 'sites'>): readonly string[] =>
  Object.entries(config.sites).map(([name, { connections, rate, recipients, perConnection, chunking }]) => {
    const parts = [
      connections === undefined ? [] : [`${connections} ${connections === 1 ? 'connection' : 'connections'}`],
      rate === undefined ? [] : [rateText(rate)],
      recipients === undefined ? [] : [`${recipients} recipients a message`],
      perConnection === undefined ? [] : [`${perConnection} messages a connection`],
      chunking === undefined ? [] : [chunking ? 'BDAT where offered' : 'no BDAT'],
    ]
    return `${name}: ${parts.flat().join(', ')}`
  })
