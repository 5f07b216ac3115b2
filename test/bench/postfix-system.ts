import { join } from 'node:path'
import { startPostfix } from '../peers/postfix.ts'
import { freePort } from '../peers/port.ts'
import { startDovecot } from '../peers/dovecot.ts'
import type { Login, System } from './system.ts'

// Tuned for throughput: nothing slows the input, deliveries start wide, connections out are kept.
const tuned = {
  in_flow_delay: '0',
  initial_destination_concurrency: '20',
  default_destination_concurrency_limit: '40',
  smtpd_peername_lookup: 'no',
  default_process_limit: '200',
  qmgr_message_active_limit: '40000',
  smtpd_client_event_limit_exceptions: '127.0.0.0/8',
  smtpd_client_connection_count_limit: '0',
  smtpd_tls_security_level: 'none',
  smtp_tls_security_level: 'none',
  message_size_limit: '104857600',
  virtual_mailbox_limit: '0',
}

/** Postfix, one instance for each workload. */
export const postfixSystem = async (sinkPort: number, login: Login): Promise<System> => {
  const held = {
    ...tuned,
    smtpd_client_restrictions: 'check_client_access static:HOLD',
    virtual_mailbox_domains: 'bench.test',
    virtual_mailbox_maps: 'static:held/',
  }
  const accept = await startPostfix({ port: await freePort(), main: held })
  const dovecot = await startDovecot({
    imapPort: await freePort(),
    lmtpPort: await freePort(),
    users: { [login.user]: { password: login.password, maildir: '/nonexistent' } },
  })
  // One connection takes it 50 ms, of which it waits 40: the system holds its reply to EHLO back until the client has acknowledged the session
  // ticket before it (Nagle), and the client has nothing to say. With twenty at once a quarter of the processors is idle.
  const submission = await startPostfix({
    port: await freePort(),
    main: {
      ...held,
      smtpd_tls_security_level: 'encrypt',
      smtpd_tls_auth_only: 'yes',
      smtpd_tls_cert_file: login.cert,
      smtpd_tls_key_file: login.key,
      smtpd_sasl_auth_enable: 'yes',
      smtpd_sasl_type: 'dovecot',
      smtpd_sasl_path: dovecot.authSocket,
      smtpd_relay_restrictions: 'permit_sasl_authenticated, reject',
    },
  })
  const maildir = await startPostfix({
    port: await freePort(),
    main: { ...tuned, virtual_mailbox_domains: 'bench.test', virtual_mailbox_maps: 'static:Maildir/' },
  })
  const relay = await startPostfix({
    port: await freePort(),
    main: {
      ...tuned,
      relay_domains: 'bench.test',
      transport_maps: 'static:smtp:[127.0.0.1]:' + sinkPort,
      smtp_connection_cache_destinations: 'static:all',
    },
  })
  const all = { accept, maildir, relay, large: accept, submission }
  return {
    name: 'postfix',
    target: work => ({ port: all[work].port, to: 'bob@bench.test' }),
    pids: work => [all[work].masterPid, ...(work === 'submission' ? [dovecot.pid] : [])],
    maildir: join(maildir.dir, 'mail/Maildir'),
    stop: async () => {
      for (const p of [accept, maildir, relay, submission]) await p.stop()
      await dovecot.stop()
    },
  }
}
