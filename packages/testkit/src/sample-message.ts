import type { Mailbox } from '@posthorn/address'
import type { Body } from '@posthorn/message'
import type {
  Claim,
  Draft,
  Envelope,
  NewMessage,
  NewRecipient,
  Owner,
  Queue,
  QueueId,
  SiteKey,
} from '@posthorn/contracts'

/** A mailbox as if it had been parsed, for tests that need no grammar. */
export const sampleMailbox = (text: string): Mailbox => {
  const at = text.lastIndexOf('@')
  return { local: text.slice(0, at), domain: text.slice(at + 1), wire: text } as Mailbox
}

export const sampleOwner: Owner = 'owner-1' as Owner

/** `mx:` and the domain unless `site` says otherwise. */
export const sampleRecipient = (
  text: string,
  o: Partial<Omit<NewRecipient, 'to' | 'site'>> & { readonly site?: string } = {},
): NewRecipient => {
  const to = sampleMailbox(text)
  const { site, ...rest } = o
  return { to, site: (site ?? `mx:${to.domain}`) as SiteKey, ...rest }
}

/** A message from alice@here.test to bob@there.test, but for what `o` says. */
export const sampleMessage = (
  o: Partial<Omit<NewMessage, 'envelope'>> & { readonly envelope?: Partial<Envelope> } = {},
): NewMessage => ({
  recipients: [sampleRecipient('bob@there.test')],
  ...o,
  envelope: {
    returnPath: sampleMailbox('alice@here.test'),
    origin: 'mx',
    smtputf8: false,
    body: '7bit',
    requireTls: false,
    ...o.envelope,
  },
})

const encoder = new TextEncoder()

/** Commit a message; `text` follows its head. */
export const enqueueSample = async (
  queue: Queue,
  message: NewMessage = sampleMessage(),
  text = 'Hello\r\n',
): Promise<QueueId> => {
  const draft: Draft = queue.begin(text.length)
  await draft.write(encoder.encode(text))
  await draft.end()
  await draft.commit(message)
  return draft.id
}

/** Claim with roomy limits. */
export const claimSample = (queue: Queue, o: Partial<Parameters<Queue['claim']>[0]> = {}): Promise<readonly Claim[]> =>
  queue.claim({ owner: sampleOwner, sites: 100, perSite: 100, leaseMs: 60_000, ...o })

/** All of a body as text, by way of `open`. */
export const textOf = async (body: Body): Promise<string> => {
  const decoder = new TextDecoder('latin1')
  let text = ''
  for await (const chunk of body.open()) text += decoder.decode(chunk)
  return text
}
