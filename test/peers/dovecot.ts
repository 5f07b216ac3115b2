import { chmodSync, chownSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { spawn } from 'node:child_process'
import { until } from './command.ts'
import { freePort } from './port.ts'

/** A Dovecot of our own, reading Maildirs over IMAP, taking mail over LMTP, and checking passwords for Postfix. */
export interface Dovecot {
  readonly dir: string
  readonly pid: number
  readonly imapPort: number
  readonly lmtpPort: number
  /** Where Postfix asks it (`smtpd_sasl_path`), and so do we. */
  readonly authSocket: string
  readonly authPort: number
  log(): string
  stop(): Promise<void>
}

/** Dovecot refuses to act as root, so the Maildirs it serves belong to Debian's `mail`. */
export const mailUser = { uid: 8, gid: 8 } as const
const owner = `${mailUser.uid}:${mailUser.gid}`

/** Start one for these users; each has a password and the Maildir to serve, which `mailUser` must own. It needs root. */
export const startDovecot = async (o: {
  readonly imapPort: number
  readonly lmtpPort: number
  /** As `auth_mechanisms` has them; `plain` when absent. */
  readonly mechanisms?: string
  readonly users: Readonly<Record<string, { readonly password: string; readonly maildir: string }>>
}): Promise<Dovecot> => {
  const authPort = await freePort()
  const dir = mkdtempSync(join(tmpdir(), 'posthorn-dovecot-'))
  chmodSync(dir, 0o755)
  const at = (name: string): string => join(dir, name)
  mkdirSync(at('run'))
  mkdirSync(at('home'))
  chownSync(at('home'), mailUser.uid, mailUser.gid)
  mkdirSync(at('state'))
  const users = Object.entries(o.users).map(
    ([name, u]) => `${name}:{PLAIN}${u.password}:${owner}::${at('home')}::userdb_mail=maildir:${u.maildir}`,
  )
  writeFileSync(at('users'), `${users.join('\n')}\n`, { mode: 0o644 })
  writeFileSync(
    at('dovecot.conf'),
    `
base_dir = ${at('run')}
state_dir = ${at('state')}
log_path = ${at('dovecot.log')}
protocols = imap lmtp
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
auth_mechanisms = ${o.mechanisms ?? 'plain'}
auth_failure_delay = 0
default_login_user = dovenull
default_internal_user = dovecot
first_valid_uid = 1
first_valid_gid = 1
mail_location = maildir:~/Maildir
passdb {
  driver = passwd-file
  args = scheme=PLAIN username_format=%u ${at('users')}
}
userdb {
  driver = passwd-file
  args = username_format=%u ${at('users')}
}
service imap-login {
  chroot =
  inet_listener imap {
    port = ${o.imapPort}
  }
  inet_listener imaps {
    port = 0
  }
}
service anvil {
  chroot =
}
service auth {
  unix_listener ${at('auth')} {
    mode = 0666
  }
  inet_listener {
    address = 127.0.0.1
    port = ${authPort}
  }
}
service lmtp {
  inet_listener lmtp {
    address = 127.0.0.1
    port = ${o.lmtpPort}
  }
}
`,
  )
  const child = spawn('/usr/sbin/dovecot', ['-F', '-c', at('dovecot.conf')], { stdio: ['ignore', 'ignore', 'pipe'] })
  let stderr = ''
  child.stderr.on('data', chunk => (stderr += String(chunk)))
  const ended = new Promise<void>(resolve => child.once('exit', () => resolve()))
  const log = (): string => {
    try {
      return readFileSync(at('dovecot.log'), 'utf8') + stderr
    } catch {
      return stderr
    }
  }
  // It says so when it listens; a probe of its ports would start servers that keep it from stopping for some seconds.
  await Promise.race([
    until('the start of Dovecot', () => log().includes('starting up') || undefined),
    ended.then(() => Promise.reject(new Error(`Dovecot did not start: ${log()}`))),
  ])
  return {
    dir,
    pid: child.pid ?? 0,
    imapPort: o.imapPort,
    lmtpPort: o.lmtpPort,
    authSocket: at('auth'),
    authPort,
    log,
    stop: async () => {
      child.kill('SIGTERM')
      await ended
      rmSync(dir, { recursive: true, force: true })
    },
  }
}
