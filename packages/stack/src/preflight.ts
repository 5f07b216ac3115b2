import { createMailboxes } from '@posthorn/mda'
import { openUsers } from '@posthorn/msa'
import { systemClock as clock, systemRandom as random } from '@posthorn/system'
import { fileCertificates } from '@posthorn/tls-policy'
import { usersFile } from './accounts.ts'
import { bounceClassifier } from './bounce-classifier.ts'
import { bounceKeys } from './bounces.ts'
import { directories } from './directories.ts'
import { mailboxOptions, usersWithout } from './local-mailboxes.ts'
import type { Config } from './schema.ts'
import { authoritiesOf, certificateOf, smarthostLogin } from './smarthost-login.ts'
import { explained } from './stack-error.ts'
import { databaseUrl } from './store.ts'

/**
 * Look at what a configuration names, without starting or writing anything: secrets, certificate, users, mailboxes. Rejects with
 * ConfigError or StackError for what would keep a stack from starting; answers a line for each thing that starts and can't be meant.
 */
export const preflight = async (config: Config, state: string = config.state): Promise<readonly string[]> => {
  if (typeof config.outbound === 'object') {
    const { smarthost } = config.outbound
    for (const read of [smarthostLogin, authoritiesOf, certificateOf]) read(smarthost)
  }
  bounceKeys(config)
  bounceClassifier(config)
  databaseUrl(config)
  const { tls } = config
  if (tls !== undefined) (await explained('the certificate', () => fileCertificates({ pairs: tls, clock }))).close()
  const users = await explained('', () => openUsers(usersFile(config, directories(state).state), { clock, random }))
  const mailboxes = await explained('the mailboxes', () => createMailboxes(mailboxOptions(config, users)))
  return [...usersWithout(config, users), ...mailboxes.problems()]
}
