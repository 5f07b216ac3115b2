import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { enclose, furnish, mailOwner, peerFile } from './enclosure.ts'
import { watch, type MailServer, type MailServerOptions, type Relay } from './mail-server.ts'
import { listening } from './port.ts'

/** The program, where scripts/install-peers puts it. */
export const opensmtpd: string = peerFile('opensmtpd', '/usr/sbin/smtpd')

const relaying = ({ domain, smtp, lmtp, login }: Relay): string => {
  const quoted = domain.replaceAll('.', '[.]')
  const submitting =
    login === undefined
      ? ''
      : `table logins { "us" = "${login.user}:${login.password}" }
action our-submission relay host "smtp+tls://us@127.0.0.1:${login.port}" auth <logins> tls no-verify
match from any for rcpt-to regex "[+]login@${quoted}$" action our-submission`
  return `table details { "@${domain}" = ${mailOwner} }
action us relay host "smtp+tls://127.0.0.1:${smtp}" tls no-verify
action our-lmtp lmtp "127.0.0.1:${lmtp}" rcpt-to virtual <details>
${submitting}
match from any for rcpt-to regex "[+]lmtp@${quoted}$" action our-lmtp
match from any for domain ${domain} action us`
}

const configuration = (dir: string, o: MailServerOptions): string => {
  const tls = o.certificate !== undefined
  const boxes = o.mailboxes.map(name => `"${name}@${o.domain}" = ${mailOwner}`).join(', ')
  return `
${tls ? 'pki here cert "/etc/cert.pem"\npki here key "/etc/key.pem"' : ''}
listen on 127.0.0.1 port ${o.port} ${tls ? 'tls pki here' : ''} hostname ${o.hostname}
table boxes { ${boxes} }
action box maildir "${dir}/mail/%{rcpt.user}" virtual <boxes>
${o.relay === undefined ? '' : relaying(o.relay)}
match from any for domain ${o.domain} action box
`
}

/**
 * Start one in an enclosure; it needs root. As a client its STARTTLS works; as a server it offers it and fails, as Debian 12 builds it (6.8.0p2
 * with OpenSSL 3), with RSA and ECDSA keys, TLS 1.2 and 1.3: its key lives in another process and is reached by a method put on the key that
 * EVP_PKEY_get1_RSA and EVP_PKEY_get1_EC_KEY answer, of which OpenSSL 3 hands out a copy. So the log says `rsae_priv_enc` (or `ecdsae_do_sign`),
 * `missing private key`. Corrected in 7.4.0 (OpenSMTPD's pull request 1208); no setting helps.
 */
export const startOpensmtpd = async (o: MailServerOptions): Promise<MailServer> => {
  const dir = mkdtempSync(join(tmpdir(), 'posthorn-opensmtpd-'))
  const at = (name: string): string => join(dir, name)
  furnish(dir, ['opensmtpd', 'opensmtpq'])
  for (const name of ['var/lib/opensmtpd/empty', 'var/spool', 'run']) mkdirSync(at(name), { recursive: true })
  cpSync(peerFile('opensmtpd', '/usr/libexec'), at('usr/libexec'), { recursive: true })
  writeFileSync(at('etc/mailname'), `${o.hostname}\n`)
  writeFileSync(at('etc/cert.pem'), o.certificate ?? '')
  writeFileSync(at('etc/key.pem'), o.key ?? '', { mode: 0o600 })
  writeFileSync(at('etc/smtpd.conf'), configuration(dir, o), { mode: 0o600 })
  const over = ['etc', 'usr/libexec', 'var/lib', 'var/spool', 'run']
  const enclosed = enclose({ dir, over, command: [opensmtpd, '-d', '-v'] })
  const stop = async (): Promise<void> => {
    await enclosed.stop()
    rmSync(dir, { recursive: true, force: true })
  }
  await Promise.race([
    listening(o.port),
    enclosed.ended.then(() => Promise.reject(new Error(`OpenSMTPD did not start: ${enclosed.output()}`))),
  ]).catch(async (error: unknown) => {
    await stop()
    throw error
  })
  return {
    port: o.port,
    ...watch(
      'OpenSMTPD',
      () => enclosed.output(),
      mailbox => join(at('mail'), mailbox),
    ),
    stop,
  }
}
