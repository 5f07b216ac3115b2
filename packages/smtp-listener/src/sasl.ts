/** What a mechanism says next: ask the client for more, try a user and password, or give up. */
export type SaslStep =
  | { readonly challenge: string; readonly next: (response: Uint8Array) => SaslStep }
  | { readonly user: string; readonly password: string }
  /** Understood and never right, such as an empty password; nobody is asked. */
  | { readonly denied: string }
  | { readonly malformed: true }

/** A mechanism begins with the client's initial response, if it sent one. */
export type SaslMechanism = (initial: Uint8Array | undefined) => SaslStep

const malformed: SaslStep = { malformed: true }
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Longer than any name or password that is meant. */
const LONGEST = 1024

// RFC 4616 §2 leaves control characters to the preparation, which prohibits them (RFC 4013 §2.3).
// oxlint-disable-next-line no-control-regex -- they are what is looked for
const control = /[\0-\x1f\x7f]/

const textOf = (bytes: Uint8Array): string | undefined => {
  try {
    return decoder.decode(bytes)
  } catch {
    return undefined
  }
}

const credentials = (user: string, password: string): SaslStep => {
  if (user === '' || user.length > LONGEST || password.length > LONGEST) return malformed
  if (control.test(user) || password.includes('\0')) return malformed
  // A directory may take an empty password for an anonymous bind, which succeeds (RFC 4513 §5.1.2).
  return password === '' ? { denied: user } : { user, password }
}

/** RFC 4616: `authorization NUL user NUL password`. To act for someone else is not offered. */
const plainMessage = (bytes: Uint8Array): SaslStep => {
  const parts = textOf(bytes)?.split('\0', 4)
  const [actFor, user, password] = parts ?? []
  if (parts?.length !== 3 || actFor === undefined || user === undefined || password === undefined) return malformed
  const step = credentials(user, password)
  return 'user' in step && actFor !== '' && actFor !== user ? { denied: user } : step
}
const plain: SaslMechanism = initial =>
  initial === undefined ? { challenge: '', next: plainMessage } : plainMessage(initial)

const base64 = (text: string): string => Buffer.from(text, 'latin1').toString('base64')

/** LOGIN was never standardised (draft-murchison-sasl-login); clients look for exactly these two prompts. */
const loginUser = (name: Uint8Array): SaslStep => {
  const user = textOf(name)
  if (user === undefined) return malformed
  return {
    challenge: base64('Password:'),
    next: secret => {
      const password = textOf(secret)
      return password === undefined ? malformed : credentials(user, password)
    },
  }
}
const login: SaslMechanism = initial =>
  initial === undefined ? { challenge: base64('Username:'), next: loginUser } : loginUser(initial)

/** The mechanisms there are, by their registered names. */
export const saslMechanisms: ReadonlyMap<string, SaslMechanism> = new Map([
  ['PLAIN', plain],
  ['LOGIN', login],
])

/** RFC 4648 §4, strictly: no white space, no missing padding, no other alphabet. */
export const decodeBase64 = (text: string): Uint8Array | undefined =>
  text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text) ? Buffer.from(text, 'base64') : undefined
