import { openQueue } from '@posthorn/queue'
import { clockOf, random } from './build.ts'
import { fairness, rate } from './load.ts'
import { questions } from './questions.ts'
import { compared, ms, say, timed } from './report.ts'

/** The queue alone, asked without a pause while mail goes through it; `empty` is the rate of an empty one. */
export const measureStore = async (directory: string, empty: number): Promise<void> => {
  const began = performance.now()
  const queue = await openQueue({ directory, clock: clockOf(() => Date.now()), random })
  say('start', ms(performance.now() - began), '(< 3000 ms)')
  const limit = (page: boolean): string => (page ? '(< 1000 ms)' : '')
  for (const { name, page, ask } of questions(queue)) say(name, ms(await timed(ask)), limit(page))
  const asking = { on: true }
  const worst = new Map<string, number>()
  const ask = async (): Promise<void> => {
    while (asking.on)
      for (const one of questions(queue)) worst.set(one.name, Math.max(worst.get(one.name) ?? 0, await timed(one.ask)))
  }
  const asked = ask()
  const busy = await rate(queue, 8)
  asking.on = false
  await asked
  say('fresh mail while it is listed and counted without a pause', ...compared(busy, empty))
  for (const { name, page } of questions(queue)) say(`  ${name}, at worst`, ms(worst.get(name) ?? NaN), limit(page))
  const waits = await fairness(queue, 10)
  const at = (part: number): string => ms(waits[Math.min(waits.length - 1, Math.floor(waits.length * part))] ?? NaN)
  say(`${waits.length} fresh messages wait beside the dead site's`, `${at(0.5)}, 99 %: ${at(0.99)}, worst ${at(1)}`)
  await queue.close()
}

/** The rate alone, for comparing. */
export const measureRate = async (directory: string): Promise<number> => {
  const queue = await openQueue({ directory, clock: clockOf(() => Date.now()), random })
  await rate(queue, 1)
  const perSecond = await rate(queue, 4)
  await queue.close()
  return perSecond
}
