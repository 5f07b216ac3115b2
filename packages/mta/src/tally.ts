import type { Outcome, Phase } from '@posthorn/contracts'

/** The outcomes of one job as they come in from one host after the other. */
export class Tally {
  readonly #outcomes: (Outcome | undefined)[] = []
  /** Of which recipients, by index, no other host is asked. */
  readonly #ended: boolean[] = []
  #open: readonly number[] | undefined

  constructor(recipients: number) {
    for (let i = 0; i < recipients; i++) {
      this.#outcomes.push(undefined)
      this.#ended.push(false)
    }
  }

  /** Recipients, by index, that another host may still take. The array stays as it is. */
  get open(): readonly number[] {
    return (this.#open ??= this.#ended.flatMap((ended, i) => (ended ? [] : [i])))
  }

  /** Note what one host said of one recipient; `movesOn` says whether another host may be asked. */
  note(index: number, outcome: Outcome): void {
    const before = this.#outcomes[index]
    // One host that refuses us altogether does not outweigh another that only asks us to come back.
    if (!(outcome.fate === 'failed' && before?.fate === 'deferred' && movesOn(outcome))) this.#outcomes[index] = outcome
    if (movesOn(outcome)) return
    this.#ended[index] = true
    this.#open = undefined
  }

  /** One for each recipient; `otherwise` for those of which nothing was heard. */
  outcomes(otherwise: Outcome): readonly Outcome[] {
    return this.#outcomes.map(outcome => outcome ?? otherwise)
  }
}

/**
 * Whether an outcome is about the host rather than about the message: then the next one is asked in the same attempt.
 *
 * That is so when the connection failed or the host would not talk to us (RFC 5321 §5.1), also with a 5xx greeting; when it
 * deferred MAIL, or lacks what the message needs (RFC 8689 §4.2.1 for REQUIRETLS); and later only for 421, for a lost connection before the final dot, and for statuses that speak of the host itself
 * (X.3.z system, X.4.z network, RFC 3463). Other deferrals of RCPT and of the content are its word about this
 * recipient or message, such as greylisting, and asking the next host would only dodge them.
 */
export const movesOn = (outcome: Outcome): boolean => {
  const { fate, phase } = outcome
  if (fate !== 'deferred' && fate !== 'failed') return false
  const when = next[phase]
  // Found out by the client itself from what the host offers, before anything was said of the message.
  if (phase === 'mail' && outcome.reply === undefined) return true
  return (
    when === 'always' || (fate === 'deferred' && (when === 'deferred' || (when === 'host' && isAboutHost(outcome))))
  )
}

/** In which case the next host is asked, by the phase in which this one's word came. */
const next: { readonly [P in Phase]: 'always' | 'deferred' | 'host' | 'never' } = {
  connect: 'always',
  banner: 'always',
  ehlo: 'always',
  tls: 'always',
  auth: 'deferred',
  mail: 'deferred',
  rcpt: 'host',
  data: 'host',
  dot: 'host',
  // What the DNS would not say of this one host.
  dns: 'always',
  route: 'never',
  local: 'never',
}

const isAboutHost = ({ reply }: Outcome): boolean =>
  reply === undefined || reply.code === 421 || /^4\.[34]\./.test(reply.enhanced ?? '')
