import { expect, test } from 'vitest'
import { createChain, definePlugin, pass, withoutHost } from '@posthorn/plugin'
import { manualClock } from '@posthorn/testkit'

const clock = manualClock()

test('a plugin that needs no host works without one, and its log lines are dropped', async () => {
  const quiet = definePlugin({
    name: 'quiet',
    setup: ({ log, signal }) => {
      log('info', 'ready', { aborted: signal.aborted })
      return { data: () => pass }
    },
  })
  const chain = await createChain([quiet], { host: withoutHost, clock })
  expect(chain.has('data')).toBe(true)
})

test('a plugin that asks for a host where there is none fails at start, by name and by what it asked for', async () => {
  const keeper = definePlugin({
    name: 'keeper',
    setup: ({ kv }) => ({ data: async () => ((await kv.get('x')) === undefined ? pass : pass) }),
  })
  await expect(createChain([keeper], { host: withoutHost, clock })).rejects.toThrow(/keeper .*asks for kv/)
})
