/** What a peer offers in its EHLO reply, as far as we use it. Nothing else is ever sent to it. */
export interface Features {
  readonly pipelining: boolean
  /** The largest message it takes, in octets; Infinity when it does not say. */
  readonly maxSize: number
  readonly size: boolean
  readonly eightBitMime: boolean
  readonly smtputf8: boolean
  readonly dsn: boolean
  readonly startTls: boolean
  readonly requireTls: boolean
  readonly priority: boolean
  readonly deliverBy: boolean
  /** The shortest time in seconds that it takes in mode R (RFC 2852 §3); 0 when it does not say. */
  readonly minByTime: number
  /** BDAT (RFC 3030). */
  readonly chunking: boolean
  /** BDAT for content that DATA cannot carry. */
  readonly binary: boolean
  /** SASL mechanisms in capitals. */
  readonly auth: readonly string[]
  /** RFC 9422; Infinity when it does not say. */
  readonly maxMessages: number
  readonly maxRecipients: number
  /** Domains of the recipients of one transaction. */
  readonly maxDomains: number
}

/** A positive number of at most 15 digits; nonsense, zero and absence mean no limit (RFC 1870 §4). */
const limit = (text: string | undefined): number => {
  const value = text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : 0
  return value > 0 ? value : Infinity
}

/** The first of a list of options; more may be defined one day (RFC 2852 §2). */
const minByTime = (options: string | undefined): number => Number(/^\d{1,9}(?=,|$)/.exec(options ?? '')?.[0] ?? 0)

const limitNamed = (params: readonly string[] | undefined, name: string): number =>
  limit(params?.find(param => param.toUpperCase().startsWith(`${name}=`))?.slice(name.length + 1))

export const featuresOf = (keywords: ReadonlyMap<string, readonly string[]>): Features => ({
  pipelining: keywords.has('PIPELINING'),
  size: keywords.has('SIZE'),
  maxSize: limit(keywords.get('SIZE')?.[0]),
  eightBitMime: keywords.has('8BITMIME'),
  smtputf8: keywords.has('SMTPUTF8'),
  dsn: keywords.has('DSN'),
  startTls: keywords.has('STARTTLS'),
  requireTls: keywords.has('REQUIRETLS'),
  priority: keywords.has('MT-PRIORITY'),
  deliverBy: keywords.has('DELIVERBY'),
  minByTime: minByTime(keywords.get('DELIVERBY')?.[0]),
  chunking: keywords.has('CHUNKING'),
  binary: keywords.has('CHUNKING') && keywords.has('BINARYMIME'),
  auth: (keywords.get('AUTH') ?? []).map(name => name.toUpperCase()),
  maxMessages: limitNamed(keywords.get('LIMITS'), 'MAILMAX'),
  maxRecipients: limitNamed(keywords.get('LIMITS'), 'RCPTMAX'),
  maxDomains: limitNamed(keywords.get('LIMITS'), 'RCPTDOMAINMAX'),
})

/** Of a peer that only knows HELO. */
export const noFeatures: Features = featuresOf(new Map())

/** Of a peer that is not to be sent BDAT, whatever it offers. */
export const withoutChunking = (features: Features): Features => ({ ...features, chunking: false, binary: false })
