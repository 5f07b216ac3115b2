// A process that takes mail in, delivers it into a Maildir and settles, and says on standard output what it has promised just now.
// `node workload.ts <root> <label> <messages> <seed> kill|close`
import { writeSync } from 'node:fs'
import { join } from 'node:path'
import type { Claim, Owner, Settlement } from '@posthorn/contracts'
import { openQueue } from '@posthorn/queue'
import { systemClock as clock, systemRandom as random } from '@posthorn/system'
import { sampleMessage, sampleRecipient } from '@posthorn/testkit'
import { createMaildir, deliver, deliverBatch } from 'maildir-parse'
import { contentOf, endOf, headOf, samplesOf, wholeName } from './content.ts'
import type { Sample } from './content.ts'

const [root = '', label = 'm', count = '50', seed = '1', ending = 'close'] = process.argv.slice(2)
const bodyInline = 40_000
const owner = 'workload' as Owner
const say = (text: string): void => void writeSync(1, `${text}\n`)

const queue = await openQueue({ directory: join(root, 'var', 'queue'), clock, random, bodyInline, floorBytes: 0 })
const maildir = await createMaildir(join(root, 'mail', 'bob'))

const bytesOf = async (claim: Claim): Promise<Uint8Array> => {
  const chunks: Uint8Array[] = []
  for await (const chunk of claim.body.open()) chunks.push(chunk)
  return Buffer.concat(chunks)
}
const rcptOf = (claim: Claim): string => claim.to.to.local
const nameOf = (bytes: Uint8Array): string => wholeName(bytes) ?? 'torn'

/** A failure and its report are one step. */
const failure = (claim: Claim, name: string): Settlement & { readonly note: string } => {
  const report = `report.${name}.${rcptOf(claim)}-700`
  return {
    lease: claim,
    fate: { to: 'failed', why: 'no such user' },
    report: {
      id: queue.newId(),
      message: { ...sampleMessage({ recipients: [sampleRecipient('r0@here.test')] }), head: headOf(report) },
      body: contentOf(report),
    },
    note: ` ${report}`,
  }
}

/** Attempt what was claimed, the Maildir's part as one batch or each by itself. */
const attempt = async (claims: readonly Claim[], batch: boolean): Promise<void> => {
  const read = await Promise.all(claims.map(async claim => ({ claim, bytes: await bytesOf(claim) })))
  const mails = read.map(({ claim, bytes }) => ({ claim, bytes, name: nameOf(bytes), rcpt: rcptOf(claim) }))
  const local = mails.filter(m => endOf(m.name, m.rcpt) === 'delivered')
  const copies = local.map(m => [Buffer.from(`To: ${m.rcpt}\r\n`), m.bytes])
  if (batch) {
    for (const result of await deliverBatch(maildir, copies)) if (!result.ok) throw result.error
  } else await Promise.all(copies.map(copy => deliver(maildir, copy)))
  for (const m of local) say(`delivered ${m.name} ${m.rcpt}`)
  const settlements = mails.flatMap(({ claim, name, rcpt }): (Settlement & { name: string; note: string })[] => {
    const end = endOf(name, rcpt)
    if (end === 'left') return []
    if (end === 'failed') return [{ ...failure(claim, name), name }]
    const due = clock.wall() + 3_600_000
    const fate = end === 'retry' ? { to: 'retry' as const, due, why: 'later' } : { to: 'delivered' as const }
    return [{ lease: claim, fate, name, note: '' }]
  })
  await queue.settle(settlements)
  settlements.forEach(({ lease, fate, name, note }) =>
    say(`settled ${name} ${rcptOf(lease as Claim)} ${fate.to}${note}`),
  )
}

const send = async (sample: Sample, fresh: boolean): Promise<void> => {
  const draft = queue.begin(sample.size)
  const content = contentOf(sample.name)
  for (let at = 0; at < content.byteLength; at += 8192) await draft.write(content.subarray(at, at + 8192))
  await draft.end()
  const recipients = Array.from({ length: sample.recipients }, (_, i) => sampleRecipient(`r${i}@here.test`))
  const message = { ...sampleMessage({ recipients }), head: headOf(sample.name) }
  const claims = await draft.commit(message, fresh ? { owner, leaseMs: 600_000 } : undefined)
  say(`accepted ${sample.name} ${sample.recipients}`)
  if (claims.length > 0) await attempt(claims, false)
}

const samples = samplesOf(label, Number(count), Number(seed), bodyInline)
const sendAll = async (some: readonly Sample[]): Promise<void> => {
  let next = 0
  let sending = true
  const sender = async (): Promise<void> => {
    for (let sample = some[next++]; sample !== undefined; sample = some[next++]) await send(sample, next % 3 !== 0)
  }
  const deliverer = async (): Promise<void> => {
    for (;;) {
      const last = !sending
      const claims = await queue.claim({ owner, sites: 10, perSite: 7, leaseMs: 600_000 })
      if (claims.length > 0) await attempt(claims, true)
      else if (last) return
      else await clock.sleep(2)
    }
  }
  const delivering = deliverer()
  await Promise.all(Array.from({ length: 6 }, sender))
  sending = false
  await delivering
}

const half = Math.ceil(samples.length / 2)
await sendAll(samples.slice(0, half))
// While nothing else is written a checkpoint can come to its end, after which the log is begun anew. The thread that checkpoints
// has ended what it was at when it answers.
const table = queue.keyValue('pause')
for (let i = 0; i < 20; i++) {
  await table.set('n', i, 60_000)
  await queue.count({ and: [] })
}
await sendAll(samples.slice(half))
await queue.count({ and: [] })
if (ending === 'kill') {
  const unfinished = queue.begin()
  await unfinished.write(contentOf(`unfinished-40000`))
  await unfinished.end()
  process.kill(process.pid, 'SIGKILL')
}
await queue.close()
