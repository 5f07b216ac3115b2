import { expect, test } from 'vitest'
import { cases } from './cases.ts'

test.each(cases)('$proves', { timeout: 120_000 }, async ({ name, run }) => {
  const { text, service } = await run(false)
  console.log(
    `${name}: ${text}; meanwhile ${service.messages} messages, the slowest in ${service.longest.toFixed(0)} ms`,
  )
  expect(service.messages).toBeGreaterThan(0)
})
