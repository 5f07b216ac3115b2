import type { Clock } from '@posthorn/contracts'
import type { TokenSource } from '@posthorn/smtp-client'

/** What a token endpoint wants to know (RFC 6749 §6). */
export interface OAuth2 {
  readonly tokenUrl: string
  readonly clientId: string
  readonly clientSecret?: string
  readonly refreshToken: string
  readonly scope?: string
}

const REQUEST_MS = 30_000
/** A token is replaced this long before its end, so that none ends on the way. */
const MARGIN_MS = 60_000
/** When the endpoint does not say how long a token is good (RFC 6749 §5.1 recommends that it does). */
const ASSUMED_MS = 300_000
const MAX_ANSWER = 65_536

interface Token {
  readonly value: string
  /** Monotonic. */
  readonly until: number
}

const formOf = (o: OAuth2, refreshToken: string): URLSearchParams => {
  const form = new URLSearchParams({
    grant_type: 'refresh_token',
    client_id: o.clientId,
    refresh_token: refreshToken,
  })
  if (o.clientSecret !== undefined) form.set('client_secret', o.clientSecret)
  if (o.scope !== undefined) form.set('scope', o.scope)
  return form
}

/** The answer as an object; never more than some kilobytes of it. */
const answerOf = async (response: Response): Promise<Readonly<Record<string, unknown>>> => {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of response.body ?? []) {
    size += chunk.byteLength
    if (size > MAX_ANSWER) throw new Error('the token endpoint answers without end')
    chunks.push(chunk)
  }
  try {
    const parsed: unknown = JSON.parse(Buffer.concat(chunks).toString('utf8'))
    if (typeof parsed === 'object' && parsed !== null) return parsed as Readonly<Record<string, unknown>>
  } catch {
    // Said below, with the status, which tells more.
  }
  throw new Error(`the token endpoint answers ${response.status} without JSON`)
}

/** An error code is a word of RFC 6749 §5.2; its description may hold anything and is not repeated. */
const errorOf = (status: number, answer: Readonly<Record<string, unknown>>): Error => {
  const { error } = answer
  const code = typeof error === 'string' && /^[\w.-]{1,60}$/.test(error) ? `: ${error}` : ''
  return new Error(`the token endpoint answers ${status}${code}`)
}

class RefreshingTokens implements TokenSource {
  readonly #o: OAuth2
  readonly #clock: Clock
  #refreshToken: string
  #token: Token | undefined
  #pending: Promise<string> | undefined

  constructor(o: OAuth2, clock: Clock) {
    this.#o = o
    this.#clock = clock
    this.#refreshToken = o.refreshToken
  }
  token(signal: AbortSignal): Promise<string> {
    if (signal.aborted) return Promise.reject(signal.reason as Error)
    if (this.#token !== undefined && this.#clock.monotonic() < this.#token.until)
      return Promise.resolve(this.#token.value)
    // One request for all that wait; it has a deadline of its own, so that nobody who gives up takes it from the others.
    this.#pending ??= this.#fetch().finally(() => (this.#pending = undefined))
    return unlessAborted(this.#pending, signal)
  }
  refused(token: string): void {
    if (this.#token?.value === token) this.#token = undefined
  }
  async #fetch(): Promise<string> {
    const deadline = this.#clock.deadline(REQUEST_MS)
    try {
      const response = await fetch(this.#o.tokenUrl, {
        method: 'POST',
        headers: { accept: 'application/json' },
        body: formOf(this.#o, this.#refreshToken),
        // Where it leads, the secrets were never meant to go.
        redirect: 'error',
        signal: deadline.signal,
      })
      return this.#keep(response.status, await answerOf(response))
    } finally {
      deadline.clear()
    }
  }
  #keep(status: number, answer: Readonly<Record<string, unknown>>): string {
    const { access_token: value, expires_in: seconds, refresh_token: next } = answer
    // RFC 6750 §2.1; anything else in it could leave the response that it is put into.
    if (status !== 200 || typeof value !== 'string' || !/^[\w.~+/-]{1,8192}=*$/.test(value))
      throw errorOf(status, answer)
    const ms = typeof seconds === 'number' && seconds > 0 ? Math.max(seconds * 1000 - MARGIN_MS, 0) : ASSUMED_MS
    this.#token = { value, until: this.#clock.monotonic() + ms }
    if (typeof next === 'string' && next !== '') this.#refreshToken = next
    return value
  }
}

const unlessAborted = (work: Promise<string>, signal: AbortSignal): Promise<string> =>
  new Promise((resolve, reject) => {
    const stop = (): void => reject(signal.reason as Error)
    signal.addEventListener('abort', stop, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop))
  })

/**
 * Access tokens from a refresh token, fetched when there is none that is good. A refresh token that the endpoint replaces is used from
 * then on, until the process ends.
 */
export const createTokenSource = (o: OAuth2, clock: Clock): TokenSource => new RefreshingTokens(o, clock)
