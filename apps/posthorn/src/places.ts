import { createServer, type AddressInfo } from 'node:net'
import { explained, type Config } from '@posthorn/stack'

type Listeners = Config['listeners']
type Place = Exclude<Listeners['mx'], false>

/** Whether a port is free, and which one when any will do. Nobody else shares it with us: another server of ours would do so unasked. */
const free = (place: { readonly host: string; readonly port: number }): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen({ ...place, exclusive: true }, () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })

/** The same places with a number for each port. Rejects with StackError when one is taken. */
export const freePlaces = async (listeners: Listeners): Promise<Listeners> => {
  const found: [string, Place | false][] = []
  for (const [name, place] of Object.entries(listeners)) {
    if (place === false || 'path' in place) found.push([name, place])
    else found.push([name, { ...place, port: await explained(`the service ${name}`, () => free(place)) }])
  }
  return Object.fromEntries(found) as Listeners
}
