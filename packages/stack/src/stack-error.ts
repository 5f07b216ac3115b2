/** Why a stack can't be made or started, in words for its operator; the system's own error is the cause. */
export class StackError extends Error {
  override readonly name = 'StackError'
}

/** Do one step of the start; what goes wrong becomes a StackError that begins with `what`, when that says something. */
export const explained = async <T>(what: string, work: () => T | Promise<T>): Promise<T> => {
  try {
    return await work()
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new StackError(what === '' ? why : `${what}: ${why}`, { cause: error })
  }
}
