import { z } from 'zod'
import { certificates } from './schema/certificates.ts'
import { deliverBy } from './schema/deliver-by.ts'
import { egress } from './schema/egress.ts'
import { listeners } from './schema/listeners.ts'
import { nextHop, tlsLevel } from './schema/next-hop.ts'
import { pluginEntry } from './schema/plugin-entry.ts'
import { postgres } from './schema/postgres.ts'
import { sites } from './schema/sites.ts'
import { tlsReports } from './schema/tls-reports.ts'
import {
  destination,
  domain,
  mailboxName,
  networks,
  octets,
  patience,
  port,
  secret,
  time,
  times,
  userName,
} from './schema/value.ts'

/** The configuration as it is checked; `z.input` of it is what `defineConfig` takes. Unknown keys are errors. */
export const schema = z.strictObject({
  hostname: domain,
  /** Directory of everything that must survive: queue, Maildirs, users, keys. */
  state: z.string().default('./var'),
  listeners,
  /** Where the queue is: below the state directory, or in a PostgreSQL database that several nodes share. */
  queue: z.union([z.literal('embedded'), z.strictObject({ postgres })]).default('embedded'),
  /** Processes that take mail in and deliver it, besides the one that then owns the queue; 1 is a single process for everything. */
  workers: z.int().min(1).max(64).default(1),
  /** Domains whose mail ends here. */
  domains: z.array(domain).default([]),
  /** Mailboxes besides those of the users; `ann` stands for ann at every domain. */
  mailboxes: z.array(mailboxName).default([]),
  /** Takes postmaster's mail; the first mailbox when absent. */
  postmaster: mailboxName.optional(),
  /** What an address stands for: mailboxes or addresses, here or elsewhere. */
  aliases: z.record(mailboxName, z.union([mailboxName.transform(x => [x]), z.array(mailboxName).min(1)])).default({}),
  /** Splits `user+detail`; false for none. */
  delimiter: z.union([z.string().length(1), z.literal(false)]).default('+'),
  /** Where local mail goes: Maildirs under the state directory, or another server. `any` recipient is accepted only with lmtp. */
  deliver: z
    .union([
      z.literal('maildir'),
      z.strictObject({
        lmtp: z.strictObject({ host: z.string(), port: port.default(24) }),
        recipients: z.enum(['listed', 'any']).default('listed'),
      }),
    ])
    .default('maildir'),
  /** Where the other mail goes: out by MX, through a smarthost, or into a trap Maildir that nothing leaves. */
  outbound: z.union([z.enum(['mx', 'trap']), z.strictObject({ smarthost: nextHop })]).default('mx'),
  /** What TLS towards other people's exchangers must achieve, besides encryption where it is offered. */
  outboundTls: z
    .strictObject({
      /** Look for TLSA records; they count where the resolver vouches for DNSSEC. */
      dane: z.boolean().default(true),
      /** Look for the policies that domains publish over HTTPS. */
      mtaSts: z.boolean().default(true),
      /** What is known better here than there, by domain. */
      domains: z.record(destination, tlsLevel).default({}),
    })
    .prefault({}),
  /** Reports to other people's domains on TLS towards them, for those that ask (TLSRPT); false for none. */
  tlsReports: tlsReports.default(false),
  /** The way that mail for other people's servers takes out of this machine. */
  egress: egress.prefault({}),
  /** Whether 8bit messages are encoded for next hops that take only 7bit; what is not goes back. */
  conversion: z.enum(['unsigned', 'always', 'never']).default('unsigned'),
  /** File of the users, relative to the state directory and managed by `posthorn user`; or Dovecot's authentication service. */
  users: z
    .union([
      z.string(),
      z.strictObject({ dovecot: z.union([z.string().min(1), z.strictObject({ host: z.string().min(1), port })]) }),
    ])
    .default('users.json'),
  /** Networks of proxies in front of us, which say for whom they connect (PROXY protocol). */
  proxies: networks,
  /** Networks of clients that may say for whom they speak (XCLIENT), and where mail came from (XFORWARD). */
  xclient: networks,
  xforward: networks,
  /** Client networks that may relay without logging in. Empty unless you write some. */
  trusted: networks,
  /** Whether VRFY and EXPN are answered truly, to users who logged in and to the networks in `trusted`. */
  vrfy: z.enum(['off', 'trusted']).default('off'),
  expn: z.enum(['off', 'trusted']).default('off'),
  deliverBy: deliverBy.prefault({}),
  /** Domains whose mail is sent when it is asked for by ETRN, and who may ask: networks and users. */
  etrn: z
    .record(
      domain,
      z
        .array(
          z.union([z.cidrv4(), z.cidrv6(), userName], {
            error: 'is neither a network such as "192.0.2.0/24" nor the name of a user',
          }),
        )
        .min(1),
    )
    .default({}),
  /** Certificates and their keys in PEM files, reloaded when they change; self-signed when absent. */
  tls: certificates.optional(),
  resolver: z
    .strictObject({
      /** Addresses, with a port if need be; the system's when absent. */
      servers: z.array(z.string()).optional(),
      timeout: time('5s'),
    })
    .prefault({}),
  limits: z
    .strictObject({
      messageSize: octets('50M'),
      headerSize: octets('1M'),
      recipients: z.int().min(100).default(1000),
      connections: z.int().min(1).default(1000),
      connectionsPerAddress: z.int().min(1).default(50),
      /** Unknown, malformed and misplaced commands, after which a session is closed. */
      errors: z.int().min(1).default(20),
      /** Recipients refused for good, and wrong passwords, after which it is. */
      unknownRecipients: z.int().min(1).default(100),
      authFailures: z.int().min(1).default(5),
      /** Commands that bring no mail, between two messages. */
      idleCommands: z.int().min(10).default(100),
      /** After so many mistakes each further one is answered later than the one before, up to five times that. */
      tarpitAfter: z.int().min(0).default(10),
      tarpit: time('200ms'),
      /** Octets a second that a message must come with after its first minute. */
      minimumRate: octets('500'),
      /** How long port 25 waits before its greeting; who speaks meanwhile is refused. */
      greetDelay: time('0s').refine(ms => ms <= 60_000, 'is longer than "60s", and clients would not wait for it'),
      hops: z.int().min(1).max(1000).default(50),
      /** Below this much free space on the queue's disk, mail is deferred. */
      freeSpace: octets('64M'),
    })
    .prefault({}),
  /** How long clients may take, and how long they may wait for us. */
  timeouts: z
    .strictObject({
      command: patience('5m'),
      data: patience('5m'),
      message: patience('30m'),
      session: patience('1h'),
      /** In place of `command` and `data` while nine tenths of the connections are taken. */
      stress: patience('10s'),
      tls: patience('1m'),
      auth: patience('30s'),
      proxy: patience('10s'),
      answer: patience('10m'),
      /** How long a worker process may not answer the owner before it is killed and replaced. */
      worker: patience('30s').refine(ms => ms <= 86_400_000, 'is longer than "1d"'),
    })
    .prefault({}),
  retry: z
    .strictObject({
      first: time('5m'),
      most: time('4h'),
      /** Undeliverable mail goes back after this. */
      expire: time('5d'),
      /** The sender is told of a delay after this, or after each of these; false for never. */
      warn: times('4h'),
    })
    .prefault({}),
  /** Reports of delivery and failure: those that we write and those that come back. */
  bounces: z
    .strictObject({
      /** The return path of mail that leaves: the sender's own, one that only we can have written, or such a one for each recipient. */
      reversePath: z.enum(['plain', 'signed', 'verp']).default('plain'),
      /** Of those return paths; its mail must come to us. The sender's own domain when absent. */
      domain: domain.optional(),
      /** One key a line: the first signs, all verify. Made in the state directory when absent. */
      secret: secret.optional(),
      /** How long such a return path takes bounces; longer than mail is tried, here and where it goes. */
      lifetime: time('15d').refine(ms => ms >= 86_400_000 && ms <= 365 * 86_400_000, 'is not between "1d" and "365d"'),
      /** Which mail from the null sender is refused. */
      refuse: z.enum(['nothing', 'forged', 'untagged']).default('forged'),
      /** Rules that name why mail is not taken, before our own: a JSON file, or the rules themselves. */
      rules: z.union([z.string(), z.array(z.unknown())]).default([]),
      /** Who hears of a report of ours that nobody takes. */
      double: z.enum(['drop', 'postmaster']).default('drop'),
      /** Reports of success for one sender; whoever forges senders may ask for any number. */
      successesPerHour: z.int().min(0).default(100),
    })
    .prefault({}),
  /** Deliveries at a time, to one site and in all. */
  concurrency: z.strictObject({ perSite: z.int().min(1).default(20), total: z.int().min(1).default(200) }).prefault({}),
  /** What is allowed towards some receivers, by site, domain or mail exchanger. */
  sites,
  plugins: z.array(pluginEntry).default([]),
  log: z
    .strictObject({
      level: z.enum(['debug', 'info', 'warn', 'error']).default('info'),
      format: z.enum(['text', 'json', 'auto']).default('auto'),
    })
    .prefault({}),
})

/** What `defineConfig` takes: every key but `hostname` has a default. */
export type ConfigInput = z.input<typeof schema>
/** The configuration with defaults filled in, durations in ms and sizes in octets. */
export type Config = z.output<typeof schema>
