import { expect, test } from 'vitest'
import { explained, StackError } from './stack-error.ts'

const failing = (fields: object) => (): never => {
  throw Object.assign(new Error('listen EACCES: permission denied 0.0.0.0:25'), { syscall: 'listen', ...fields })
}

test('a port that only some may listen on is refused with what that takes', async () => {
  const refused = explained('the service mx', failing({ code: 'EACCES', port: 25 }))
  await expect(refused).rejects.toThrow(StackError)
  await expect(refused).rejects.toThrow(/^the service mx: listen EACCES.*:25; a port below 1024 takes .*CAP_NET_BIND/)
})
test('of what has another reason nothing is guessed', async () => {
  for (const fields of [{ code: 'EADDRINUSE', port: 25 }, { code: 'EACCES', port: 2525 }, { code: 'EACCES' }])
    await expect(explained('the service mx', failing(fields))).rejects.toThrow(/0\.0\.0\.0:25$/)
})
