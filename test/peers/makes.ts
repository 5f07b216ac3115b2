import { exim, startExim } from './exim.ts'
import type { MailServer, MailServerOptions, Relay } from './mail-server.ts'
import { opensmtpd, startOpensmtpd } from './opensmtpd.ts'
import { startPostfix } from './postfix.ts'

/** A make of mail server that we exchange mail with and compare ourselves to. */
export interface Make {
  readonly name: 'Postfix' | 'Exim' | 'OpenSMTPD'
  /** What must be on the machine. */
  readonly program: string
  start(o: MailServerOptions): Promise<MailServer>
}

const quoted = (text: string): string => text.replaceAll(/[.+]/g, String.raw`\$&`)

/** The settings of Postfix that give mail for our domain to us, and its transport map. */
const relaying = ({ domain, smtp, lmtp, login }: Relay) => ({
  transport: [
    `/\\+lmtp@${quoted(domain)}$/ lmtp:inet:127.0.0.1:${lmtp}`,
    ...(login === undefined ? [] : [`/\\+login@${quoted(domain)}$/ smtp:[127.0.0.1]:${login.port}`]),
    `/@${quoted(domain)}$/ smtp:[127.0.0.1]:${smtp}`,
    '',
  ].join('\n'),
  main: {
    relay_domains: domain,
    transport_maps: 'regexp:DIR/etc/transport',
    smtp_tls_security_level: 'encrypt',
    smtp_tls_loglevel: '1',
    ...(login === undefined
      ? {}
      : {
          smtp_sasl_auth_enable: 'yes',
          smtp_sasl_tls_security_options: 'noanonymous',
          smtp_sasl_password_maps: `inline:{ { [127.0.0.1]:${login.port} = ${login.user}:${login.password} } }`,
        }),
  },
})

const offeringTls = {
  smtpd_tls_security_level: 'may',
  smtpd_tls_cert_file: 'DIR/etc/cert.pem',
  smtpd_tls_key_file: 'DIR/etc/key.pem',
  smtpd_tls_loglevel: '1',
}

const startAsPostfix = ({ relay, ...o }: MailServerOptions): Promise<MailServer> => {
  const ours = relay === undefined ? undefined : relaying(relay)
  return startPostfix({
    port: o.port,
    files: {
      mailboxes: o.mailboxes.map(name => `/^${quoted(name)}@${quoted(o.domain)}$/ ${name}/\n`).join(''),
      ...(ours === undefined ? {} : { transport: ours.transport }),
      ...(o.certificate === undefined ? {} : { 'cert.pem': o.certificate, 'key.pem': o.key ?? '' }),
    },
    main: {
      myhostname: o.hostname,
      myorigin: o.domain,
      local_recipient_maps: 'unix:passwd.byname',
      mynetworks: '',
      smtpd_relay_restrictions: 'reject_unauth_destination',
      virtual_mailbox_domains: o.domain,
      virtual_mailbox_maps: 'regexp:DIR/etc/mailboxes',
      ...(o.certificate === undefined ? {} : offeringTls),
      ...ours?.main,
    },
  })
}

/** All of them, with whom everything is tried. */
export const makes: readonly Make[] = [
  { name: 'Postfix', program: 'postfix', start: startAsPostfix },
  { name: 'Exim', program: exim, start: startExim },
  { name: 'OpenSMTPD', program: opensmtpd, start: startOpensmtpd },
]
