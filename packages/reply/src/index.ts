export { accept, defer, reject, isReply, isDefer, isReject } from './reply.ts'
export type { Accept, Class, CodeOf, Defer, Enhanced, Make, Reject, Reply } from './reply.ts'
export type { RemoteReply } from './remote.ts'
