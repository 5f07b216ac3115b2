import { isIP } from 'node:net'
import { z } from 'zod'
import { parseDomain, parseMailbox } from '@posthorn/address'
import type { Plugin } from '@posthorn/plugin'
import { duration, rate, size } from './units.ts'

const written = z.union([z.string(), z.number()])
const milliseconds = (text: string | number, at: z.RefinementCtx): number =>
  duration(text) ?? fail(at, `${JSON.stringify(text)} is not a duration such as "30s", "5m", "4h" or "5d"`)
const time = (fallback: string) => written.default(fallback).transform(milliseconds)
/** None, one or several. */
const times = (fallback: string) =>
  z
    .union([z.literal(false), written, z.array(written).max(10)])
    .default(fallback)
    .transform((texts, at) => (texts === false ? [] : [texts].flat().map(text => milliseconds(text, at))))
const patience = (fallback: string) => time(fallback).refine(ms => ms >= 1_000, 'is shorter than "1s"')
const octets = (fallback: string) =>
  z
    .union([z.string(), z.number()])
    .default(fallback)
    .transform(
      (text, at) => size(text) ?? fail(at, `${JSON.stringify(text)} is not a size such as "512K", "50M" or "2G"`),
    )
const fail = (at: z.RefinementCtx, message: string): never => {
  at.addIssue({ code: 'custom', message })
  return z.NEVER
}

const domain = z.string().transform((text, at) => {
  const parsed = parseDomain(text)
  return parsed === undefined || parsed.startsWith('[')
    ? fail(at, `${JSON.stringify(text)} is not a domain name`)
    : parsed
})
const mailboxName = z
  .string()
  .refine(text => parseMailbox(text.includes('@') ? text : `${text}@x`, { smtputf8: true }) !== undefined, {
    error: 'is not an address such as "ann@example.org", nor a local part such as "ann"',
  })

const networks = z
  .array(z.union([z.cidrv4(), z.cidrv6()], { error: 'is not a network such as "192.0.2.0/24"' }))
  .default([])
const serverName = z.string().regex(/^(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*$/i, {
  error: 'is not a host name such as "mx.example.org", nor a wildcard such as "*.example.org"',
})
const pairFiles = z.strictObject({
  cert: z.string(),
  key: z.string(),
  /** The server names for which it is shown; those that it bears when absent. */
  names: z.array(serverName).min(1).optional(),
})
const userName = z.string().regex(/^[^\s/]+$/)
const port = z.int().min(0).max(65535)
const listener = z.union([
  z.literal(false),
  z.strictObject({ host: z.string().default('0.0.0.0'), port }),
  z.strictObject({ path: z.string() }),
])

const secret = z.union([
  z.strictObject({ file: z.string() }),
  z.strictObject({ env: z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'is not the name of an environment variable') }),
])

const isSafeUrl = (text: string): boolean => {
  const url = URL.parse(text)
  return (
    url?.protocol === 'https:' || (url?.protocol === 'http:' && /^(localhost|127\.0\.0\.1|\[::1\])$/.test(url.hostname))
  )
}
const auth = z.union([
  z.literal('password'),
  z.strictObject({
    /** Tokens instead of a password, for OAUTHBEARER and XOAUTH2. */
    oauth2: z.strictObject({
      tokenUrl: z.string().refine(isSafeUrl, { error: 'is not an https URL' }),
      clientId: z.string().min(1),
      clientSecret: secret.optional(),
      refreshToken: secret,
      scope: z.string().optional(),
    }),
  }),
])

const databaseUrl = z.string().refine(
  text => {
    const url = URL.parse(text)
    return url !== null && /^postgres(ql)?:$/.test(url.protocol) && url.password === ''
  },
  {
    error:
      'is not a URL such as "postgres://posthorn@db.example.org/mail"; one with a password goes into { file } or { env }',
  },
)
const postgres = z.strictObject({
  /** From a file or the environment when there is a password in it. */
  url: z.union([secret, databaseUrl]),
  /** The other nodes go on with the mail of one that has not been heard of for so long. */
  takeover: time('75s').refine(ms => ms >= 5_000, 'is shorter than "5s"'),
  /** At most so many at a time, of this node. */
  connections: z.int().min(2).max(500).default(10),
})

const tlsLevel = z.enum(['never', 'may', 'encrypt', 'verify'])

const nextHop = z.strictObject({
  host: z.string().min(1),
  port: port.default(25),
  tls: tlsLevel.optional(),
  /** PEM file of the authorities to trust instead of the system's. */
  ca: z.string().optional(),
  implicitTls: z.boolean().optional(),
  user: z.string().optional(),
  /** From a file or the environment, so that the configuration can be shown to others. */
  password: secret.optional(),
  auth: auth.optional(),
})

/** Whose mail a limit is for: a site, a domain or an exchanger, all below one, or all the rest. */
const isReceiver = (text: string): boolean => {
  if (text === '*' || /^(mx|smtp|lmtp|local|trap|[a-z][a-z0-9-]*):\S+$/i.test(text)) return true
  return isIP(text) !== 0 || parseDomain(text.startsWith('*.') ? text.slice(2) : text) !== undefined
}
const siteLimit = z
  .strictObject({
    /** At once. */
    connections: z.int().min(1).max(1000).optional(),
    /** Messages in a time, evenly spread. */
    rate: z
      .string()
      .transform(
        (text, at) =>
          rate(text) ?? fail(at, `${JSON.stringify(text)} is not a rate such as "5/s", "100/min" or "2000/h"`),
      )
      .optional(),
    /** Of one transaction. */
    recipients: z.int().min(1).max(1000).optional(),
    /** Messages after which a connection is ended. */
    perConnection: z.int().min(1).optional(),
  })
  .refine(limit => Object.values(limit).some(value => value !== undefined), {
    error: 'limits nothing: give it connections, rate, recipients or perConnection',
  })

/** Of another domain, or of all below one. */
const destination = z.string().transform((text, at) => {
  const below = text.startsWith('*.')
  const parsed = parseDomain(below ? text.slice(2) : text)
  return parsed === undefined || parsed.startsWith('[')
    ? fail(at, `${JSON.stringify(text)} is neither a domain name nor a pattern such as "*.example.org"`)
    : `${below ? '*.' : ''}${parsed}`
})

const proxyPlace = { host: z.string().min(1), port: port.min(1) }
const egress = z.strictObject({
  /** Addresses of this machine to send from; the system chooses when absent. */
  source: z.strictObject({ ipv4: z.ipv4().optional(), ipv6: z.ipv6().optional() }).prefault({}),
  /** Through which all mail for other people's servers goes. */
  proxy: z
    .union([
      z.strictObject({
        socks5: z.strictObject({ ...proxyPlace, user: z.string().min(1).optional(), password: secret.optional() }),
      }),
      z.strictObject({ haproxy: z.strictObject(proxyPlace) }),
    ])
    .optional(),
})

const isPlugin = (x: unknown): x is Plugin =>
  typeof x === 'object' && x !== null && 'name' in x && 'setup' in x && typeof x.setup === 'function'
const plugin = z.custom<Plugin>(isPlugin, {
  error: 'is not a plugin: call its factory, as in greylist({ delay: "5m" })',
})
/** The listening services of a stack. */
export const serviceNames = ['mx', 'submission', 'submissions', 'lmtp'] as const
const pluginEntry = z.union([
  plugin,
  z.strictObject({
    use: plugin,
    /** The services that ask it; all when absent. Hooks of queue and delivery are asked for every message. */
    on: z.array(z.enum(serviceNames)).optional(),
    /** Go on when it fails, instead of deferring the transaction. */
    onError: z.literal('pass').optional(),
  }),
])

/** The configuration as it is checked; `z.input` of it is what `defineConfig` takes. Unknown keys are errors. */
export const schema = z.strictObject({
  hostname: domain,
  /** Directory of everything that must survive: queue, Maildirs, users, keys. */
  state: z.string().default('./var'),
  listeners: z
    .strictObject({
      mx: listener.default({ host: '0.0.0.0', port: 25 }),
      submission: listener.default({ host: '0.0.0.0', port: 587 }),
      submissions: listener.default({ host: '0.0.0.0', port: 465 }),
      lmtp: listener.default(false),
    })
    .prefault({}),
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
  tls: z.union([pairFiles.transform(one => [one] as const), z.tuple([pairFiles], pairFiles)]).optional(),
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
  sites: z
    .record(
      z.string().refine(isReceiver, {
        error:
          'is not a site such as "mx:example.org", a domain or exchanger such as "example.org", "*.example.org" or "*"',
      }),
      siteLimit,
    )
    .default({}),
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
export type ServiceName = (typeof serviceNames)[number]
/** A server that takes what we do not deliver ourselves. */
export type NextHop = z.output<typeof nextHop>
