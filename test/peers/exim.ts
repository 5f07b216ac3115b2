import { chmodSync, chownSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { enclose, firstUid, furnish, mailOwner, peerFile } from './enclosure.ts'
import { watch, type MailServer, type MailServerOptions } from './mail-server.ts'
import { listening } from './port.ts'

/** The program, where scripts/install-peers puts it. */
export const exim: string = peerFile('exim', '/usr/sbin/exim4')

const configuration = (dir: string, o: MailServerOptions): string => `
primary_hostname = ${o.hostname}
qualify_domain = ${o.domain}
spool_directory = ${dir}/spool
log_file_path = ${dir}/log/%s
log_selector = +smtp_confirmation +pipelining
exim_path = ${exim}
keep_environment =
daemon_smtp_ports = ${o.port}
local_interfaces = 127.0.0.1
# So many mistakes are answered before it closes; three of each unless it is told so.
smtp_max_synprot_errors = 20
smtp_max_unknown_commands = 20
# Not offered unless asked for.
dsn_advertise_hosts = *
tls_advertise_hosts = ${o.certificate === undefined ? '' : '*'}
tls_certificate = ${dir}/etc/cert.pem
tls_privatekey = ${dir}/etc/key.pem
acl_smtp_rcpt = recipient
acl_smtp_data = accept

begin acl
recipient:
  accept domains = ${o.domain} : ${o.relay?.domain ?? ''}
         verify = recipient
  deny message = relay not permitted
       !domains = ${o.domain} : ${o.relay?.domain ?? ''}
  deny message = Unrouteable address

begin routers
${
  o.relay === undefined
    ? ''
    : `to_our_lmtp:
  driver = manualroute
  domains = ${o.relay.domain}
  local_parts = *+lmtp
  route_list = * 127.0.0.1
  self = send
  transport = lmtp
to_our_submission:
  driver = manualroute
  domains = ${o.relay.domain}
  local_parts = *+login
  route_list = * 127.0.0.1
  self = send
  transport = submission
to_us:
  driver = manualroute
  domains = ${o.relay.domain}
  route_list = * 127.0.0.1
  self = send
  transport = smtp
`
}
mailbox:
  driver = accept
  domains = ${o.domain}
  local_parts = lsearch;${dir}/etc/mailboxes
  transport = maildir

begin transports
smtp:
  driver = smtp
  port = ${o.relay?.smtp ?? 25}
  allow_localhost
  hosts_require_tls = *
submission:
  driver = smtp
  port = ${o.relay?.login?.port ?? 587}
  allow_localhost
  hosts_require_tls = *
  hosts_require_auth = *
lmtp:
  driver = smtp
  protocol = lmtp
  port = ${o.relay?.lmtp ?? 24}
  allow_localhost
  hosts_avoid_tls = *
maildir:
  driver = appendfile
  directory = ${dir}/mail/$local_part_data
  maildir_format
  user = ${mailOwner}
  create_directory
  return_path_add
  delivery_date_add

begin retry
* * F,1h,2s

begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  client_send = ^${o.relay?.login?.user ?? ''}^${o.relay?.login?.password ?? ''}
`

/** Start one in an enclosure; it needs root. */
export const startExim = async (o: MailServerOptions): Promise<MailServer> => {
  const dir = mkdtempSync(join(tmpdir(), 'posthorn-exim-'))
  const at = (name: string): string => join(dir, name)
  furnish(dir, ['Debian-exim'])
  for (const name of ['spool', 'log']) {
    mkdirSync(at(name))
    chownSync(at(name), firstUid, firstUid)
  }
  mkdirSync(at('etc/exim4'))
  writeFileSync(at('etc/exim4/exim4.conf'), configuration(dir, o), { mode: 0o644 })
  writeFileSync(at('etc/mailboxes'), o.mailboxes.map(name => `${name}: ${name}\n`).join(''))
  writeFileSync(at('etc/cert.pem'), o.certificate ?? '')
  writeFileSync(at('etc/key.pem'), o.key ?? '', { mode: 0o640 })
  chownSync(at('etc/key.pem'), 0, firstUid)
  chmodSync(at('etc/key.pem'), 0o640)
  const enclosed = enclose({ dir, over: ['etc'], command: [exim, '-bdf', '-q2s'] })
  const log = (): string =>
    readdirSync(at('log'))
      .map(name => readFileSync(join(at('log'), name), 'utf8'))
      .join('') + enclosed.output()
  const stop = async (): Promise<void> => {
    await enclosed.stop()
    rmSync(dir, { recursive: true, force: true })
  }
  await Promise.race([
    listening(o.port),
    enclosed.ended.then(() => Promise.reject(new Error(`Exim did not start: ${log()}`))),
  ]).catch(async (error: unknown) => {
    await stop()
    throw error
  })
  return { port: o.port, ...watch('Exim', log, mailbox => join(at('mail'), mailbox)), stop }
}
