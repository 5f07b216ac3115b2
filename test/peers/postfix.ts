import { chmodSync, chownSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { run, until } from './command.ts'
import { watch, type MailServer } from './mail-server.ts'
import { listening } from './port.ts'

/** A Postfix of our own: its configuration, queue and log in a directory that goes with it. */
export interface Postfix extends MailServer {
  readonly dir: string
  readonly masterPid: number
  flush(): Promise<void>
}

const daemons = '/usr/lib/postfix/sbin'
const ids = (name: string): { uid: number; gid: number } => {
  const row = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find(l => l.startsWith(`${name}:`))
  const [, , uid, gid] = row?.split(':') ?? []
  if (uid === undefined || gid === undefined) throw new Error(`no user ${name}: is Postfix installed?`)
  return { uid: Number(uid), gid: Number(gid) }
}

const master = (port: number, extra: readonly string[]): string =>
  [
    `127.0.0.1:${port} inet n - n - - smtpd`,
    'pickup unix n - n 60 1 pickup',
    'cleanup unix n - n - 0 cleanup',
    'qmgr unix n - n 300 1 qmgr',
    'tlsmgr unix - - n 1000? 1 tlsmgr',
    'rewrite unix - - n - - trivial-rewrite',
    'bounce unix - - n - 0 bounce',
    'defer unix - - n - 0 bounce',
    'trace unix - - n - 0 bounce',
    'verify unix - - n - 1 verify',
    'flush unix n - n 1000? 0 flush',
    'proxymap unix - - n - - proxymap',
    'proxywrite unix - - n - 1 proxymap',
    'smtp unix - - n - - smtp',
    'relay unix - - n - - smtp',
    'showq unix n - n - - showq',
    'error unix - - n - - error',
    'retry unix - - n - - error',
    'discard unix - - n - - discard',
    'local unix - n n - - local',
    'virtual unix - n n - - virtual',
    'lmtp unix - - n - - lmtp',
    'anvil unix - - n - 1 anvil',
    'scache unix - - n - 1 scache',
    'postlog unix-dgram n - n - 1 postlogd',
    ...extra,
    '',
  ].join('\n')

/** Whether any process of the group is left. Master begins a group of its own, and its children stay in it. */
const groupLives = (pid: number): boolean => {
  try {
    return process.kill(-pid, 0)
  } catch {
    return false
  }
}

/** Start one. `main` adds to or replaces main.cf settings, in which DIR stands for the directory, as does `files`, by name under etc. */
export const startPostfix = async (o: {
  readonly port: number
  readonly main?: Readonly<Record<string, string>>
  readonly master?: readonly string[]
  readonly files?: Readonly<Record<string, string>>
}): Promise<Postfix> => {
  const dir = mkdtempSync(join(tmpdir(), 'posthorn-postfix-'))
  const { uid, gid } = ids('postfix')
  chmodSync(dir, 0o755) // Postfix's own user must reach its directories
  const at = (name: string): string => join(dir, name)
  for (const name of ['etc', 'spool', 'data', 'mail']) mkdirSync(at(name), { mode: 0o755 })
  chownSync(at('data'), uid, gid)
  chownSync(at('mail'), uid, gid)
  for (const [name, text] of Object.entries(o.files ?? {})) writeFileSync(at(`etc/${name}`), text)
  const main: Record<string, string> = {
    compatibility_level: '3.6',
    queue_directory: at('spool'),
    data_directory: at('data'),
    command_directory: '/usr/sbin',
    daemon_directory: daemons,
    mail_owner: 'postfix',
    setgid_group: 'postdrop',
    myhostname: 'postfix.test',
    mydestination: '',
    local_recipient_maps: '',
    inet_interfaces: '127.0.0.1',
    inet_protocols: 'ipv4',
    smtp_dns_support_level: 'disabled',
    smtp_host_lookup: 'native',
    maillog_file: at('mail.log'),
    maillog_file_prefixes: dir,
    mynetworks: '127.0.0.0/8',
    smtpd_relay_restrictions: 'permit_mynetworks, reject',
    alias_maps: '',
    alias_database: '',
    virtual_mailbox_base: at('mail'),
    virtual_uid_maps: `static:${uid}`,
    virtual_gid_maps: `static:${gid}`,
    virtual_minimum_uid: '1',
    ...o.main,
  }
  const main_cf = Object.entries(main).map(([k, v]) => `${k} = ${v.replaceAll('DIR', dir)}\n`)
  writeFileSync(at('etc/main.cf'), main_cf.join(''))
  writeFileSync(at('etc/master.cf'), master(o.port, o.master ?? []))
  const started = await run('/usr/sbin/postfix', ['-c', at('etc'), 'start'])
  if (started.code !== 0) throw new Error(`Postfix did not start: ${started.stderr}`)
  await listening(o.port)
  const masterPid = Number(readFileSync(at('spool/pid/master.pid'), 'utf8').trim())
  const log = (): string => readFileSync(at('mail.log'), 'utf8')
  return {
    dir,
    port: o.port,
    masterPid,
    ...watch('Postfix', log, mailbox => join(at('mail'), mailbox)),
    flush: async () => void (await run('/usr/sbin/postqueue', ['-c', at('etc'), '-f'])),
    stop: async () => {
      // `postfix stop` looks once a second whether it may go.
      if (groupLives(masterPid)) process.kill(masterPid, 'SIGTERM')
      await until('the end of Postfix', () => !groupLives(masterPid) || undefined)
      rmSync(dir, { recursive: true, force: true })
    },
  }
}
