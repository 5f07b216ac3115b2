/*
 * SCRAM (RFC 5802) as far as it is grammar and arithmetic: both sides of a session, and whoever keeps verifiers, have it from here. Octets
 * that stand in messages as base64 stay so.
 */

/** The hash of a SCRAM mechanism, such as SHA-256 (RFC 7677), from whoever has it. Texts count as UTF-8. */
export interface ScramHash {
  hash(octets: Uint8Array): Uint8Array
  hmac(key: Uint8Array, text: string): Uint8Array
}

/** What is made of a salted password (RFC 5802 §3). */
export interface ScramKeys {
  readonly clientKey: Uint8Array
  readonly storedKey: Uint8Array
  readonly serverKey: Uint8Array
}

/** `gs2-header client-first-message-bare`. */
export interface ClientFirst {
  /** Of channel binding: `n`, `y`, or `p=` and its type. */
  readonly flag: string
  /** Whom the client wants to act as; `''` where it did not say. */
  readonly actFor: string
  /** As it stands before `bare`, and again in the final message. */
  readonly header: string
  readonly bare: string
  readonly user: string
  readonly nonce: string
}
/** `server-first-message`; the salt in base64. */
export interface ServerFirst {
  readonly nonce: string
  readonly salt: string
  readonly iterations: number
}
/** `client-final-message`; header with channel binding, and proof, in base64. */
export interface ClientFinal {
  /** All of it before the proof. */
  readonly unproved: string
  readonly channel: string
  readonly nonce: string
  readonly proof: string
}

const NONCE = '[\\x21-\\x2b\\x2d-\\x7e]{1,512}'
/** A mandatory extension (`m=`) is none that we know. */
const clientFirst = new RegExp(`^([^,]{1,64}),(?:a=([^,]*))?,(n=([^,]*),r=(${NONCE})(?:,.*)?)$`, 's')
const serverFirst = new RegExp(`^r=(${NONCE}),s=([A-Za-z0-9+/]+={0,2}),i=([1-9]\\d{0,8})(?:,.*)?$`, 's')
const clientFinal = new RegExp(`^(c=([^,]+),r=(${NONCE})(?:,[^,]+)*),p=([^,]+)$`, 's')
const serverFinal = /^v=([A-Za-z0-9+/]+={0,2})(?:,.*)?$/s

/** A name in a SASL message (RFC 5801 §4): comma and equals sign are written out. */
export const writeSaslName = (name: string): string => name.replaceAll('=', '=3D').replaceAll(',', '=2C')
/** Read it back; any other equals sign is a mistake (RFC 5802 §5.1). */
export const readSaslName = (text: string): string | undefined =>
  /=(?!2C|3D)/.test(text) ? undefined : text.replaceAll('=2C', ',').replaceAll('=3D', '=')

/** Read the client's first words; `undefined` when they are not lawful. */
export const readClientFirst = (text: string): ClientFirst | undefined => {
  const [, flag, actForText, bare, name, nonce] = clientFirst.exec(text) ?? []
  if (flag === undefined || bare === undefined || name === undefined || nonce === undefined) return undefined
  const user = readSaslName(name)
  const actFor = readSaslName(actForText ?? '')
  if (user === undefined || actFor === undefined) return undefined
  const header = text.slice(0, text.length - bare.length)
  return { flag, actFor, header, bare, user, nonce }
}
/** Write them; nobody but the user is acted for. */
export const writeClientFirst = (o: Pick<ClientFirst, 'flag' | 'user' | 'nonce'>): ClientFirst & { text: string } => {
  const header = `${o.flag},,`
  const bare = `n=${writeSaslName(o.user)},r=${o.nonce}`
  return { ...o, actFor: '', header, bare, text: `${header}${bare}` }
}

/** Read the server's challenge. */
export const readServerFirst = (text: string): ServerFirst | undefined => {
  const [, nonce, salt, iterations] = serverFirst.exec(text) ?? []
  return nonce === undefined || salt === undefined ? undefined : { nonce, salt, iterations: Number(iterations) }
}
/** Write it. */
export const writeServerFirst = ({ nonce, salt, iterations }: ServerFirst): string =>
  `r=${nonce},s=${salt},i=${iterations}`

/** Read the client's answer. */
export const readClientFinal = (text: string): ClientFinal | undefined => {
  const [, unproved, channel, nonce, proof] = clientFinal.exec(text) ?? []
  if (unproved === undefined || channel === undefined || nonce === undefined || proof === undefined) return undefined
  return { unproved, channel, nonce, proof }
}
/** What the client's answer says before its proof. */
export const writeUnproved = ({ channel, nonce }: Pick<ClientFinal, 'channel' | 'nonce'>): string =>
  `c=${channel},r=${nonce}`
/** The whole answer. */
export const writeClientFinal = ({ unproved, proof }: Pick<ClientFinal, 'unproved' | 'proof'>): string =>
  `${unproved},p=${proof}`

/** The server's signature in its last word, in base64; `undefined` when there is none. */
export const readServerFinal = (text: string): string | undefined => serverFinal.exec(text)?.[1]
/** Write that word. */
export const writeServerFinal = (signature: string): string => `v=${signature}`

/** What both sides sign: the whole exchange (RFC 5802 §3, AuthMessage). */
export const signedWords = (bare: string, challenge: string, unproved: string): string =>
  `${bare},${challenge},${unproved}`

const exclusiveOr = (a: Uint8Array, b: Uint8Array): Uint8Array => a.map((octet, i) => octet ^ (b[i] ?? 0))

/** The keys of a salted password. */
export const scramKeys = (salted: Uint8Array, h: ScramHash): ScramKeys => {
  const clientKey = h.hmac(salted, 'Client Key')
  return { clientKey, storedKey: h.hash(clientKey), serverKey: h.hmac(salted, 'Server Key') }
}
/** What shows that the client has the password (ClientProof). */
export const scramProof = (
  { clientKey, storedKey }: Pick<ScramKeys, 'clientKey' | 'storedKey'>,
  words: string,
  h: ScramHash,
): Uint8Array => exclusiveOr(clientKey, h.hmac(storedKey, words))
/** The StoredKey of whoever made this proof: to be compared, in constant time, with the one that is kept. */
export const provedKey = (proof: Uint8Array, storedKey: Uint8Array, words: string, h: ScramHash): Uint8Array =>
  h.hash(exclusiveOr(proof, h.hmac(storedKey, words)))
