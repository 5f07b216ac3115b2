import type { QueueEntry } from '@posthorn/contracts'
import type { Body } from '@posthorn/message'

/** A message as an mbox holds it: a separator, lines ended by LF, and lines that look like a separator quoted (mboxrd). */
export const mboxEntry = async ({ envelope, arrived }: QueueEntry, body: Body): Promise<Buffer> => {
  const parts: Uint8Array[] = []
  for await (const chunk of body.open()) parts.push(chunk)
  // Octet for octet: any charset passes through latin1 as it came.
  const text = Buffer.concat(parts)
    .toString('latin1')
    .replaceAll('\r\n', '\n')
    .replace(/^(>*From )/gm, '>$1')
  // The asctime form, in UTC, that mail programs read.
  const [, weekday, day, month, year, time] =
    /^(\w+), (\d+) (\w+) (\d+) ([\d:]+)/.exec(new Date(arrived).toUTCString()) ?? []
  const sender = (envelope.returnPath?.wire ?? 'MAILER-DAEMON').replace(/\s/g, '_')
  const separator = `From ${sender} ${weekday} ${month} ${String(Number(day)).padStart(2)} ${time} ${year}\n`
  return Buffer.concat([
    Buffer.from(separator, 'utf8'),
    Buffer.from(text.endsWith('\n') ? `${text}\n` : `${text}\n\n`, 'latin1'),
  ])
}
