/**
 * A new Message-ID with its angle brackets (RFC 5322 §3.6.4): time, then 80 bits of chance, at our own domain.
 * `random` is the injected Random; `domain` must be a checked one.
 */
export const newMessageId = (random: { bytes(length: number): Uint8Array }, wallMs: number, domain: string): string => {
  let chance = ''
  for (const byte of random.bytes(10)) chance += byte.toString(16).padStart(2, '0')
  return `<${Math.trunc(wallMs).toString(36)}.${chance}@${domain}>`
}
