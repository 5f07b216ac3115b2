import { decoys } from '../src/sasl/decoy.ts'
import type { SaslContext } from '../src/sasl/step.ts'

/** What mechanisms know in tests. */
export const context = (o: Partial<SaslContext> = {}): SaslContext => ({
  nonce: () => '%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0',
  binding: () => undefined,
  bindingOffered: false,
  decoy: decoys(Buffer.alloc(32), 4096),
  certificate: undefined,
  client: { ip: '192.0.2.1', port: 40_000, local: { ip: '198.51.100.1', port: 25 }, secure: true },
  ...o,
})
