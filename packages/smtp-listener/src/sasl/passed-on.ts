import type { SaslAnswer, SaslService } from '@posthorn/contracts'
import { base64 } from './text.ts'
import type { SaslMechanism, SaslStep } from './step.ts'

/** A mechanism that somebody else speaks: challenges and responses go through as they are. */
export const passedOn =
  (service: SaslService, name: string): SaslMechanism =>
  (initial, { client }) => {
    const exchange = service.begin(name, client)
    const next = (answer: SaslAnswer): SaslStep =>
      'challenge' in answer
        ? { challenge: base64(answer.challenge), next: ask, cancel: () => exchange.cancel() }
        : answer
    const ask = (response: Uint8Array | undefined): SaslStep => ({
      ask: 'exchange',
      run: async signal => next(await exchange.answer(response, signal)),
    })
    return ask(initial)
  }
