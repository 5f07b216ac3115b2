/** Why a stack can't be made or started, in words for its operator; the system's own error is the cause. */
export class StackError extends Error {
  override readonly name = 'StackError'
}

/** What to do about it, where the system's words leave that open. */
const advice = (
  error: Error & { readonly code?: unknown; readonly syscall?: unknown; readonly port?: unknown },
): string =>
  error.code === 'EACCES' && error.syscall === 'listen' && Number(error.port) < 1024
    ? '; a port below 1024 takes the capability CAP_NET_BIND_SERVICE, or the sysctl net.ipv4.ip_unprivileged_port_start'
    : ''

/** Do one step of the start; what goes wrong becomes a StackError that begins with `what`, when that says something. */
export const explained = async <T>(what: string, work: () => T | Promise<T>): Promise<T> => {
  try {
    return await work()
  } catch (error) {
    const why = error instanceof Error ? error.message + advice(error) : String(error)
    throw new StackError(what === '' ? why : `${what}: ${why}`, { cause: error })
  }
}
