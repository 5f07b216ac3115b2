import type { Clock } from '@posthorn/contracts'
import type { MaildirTransport } from '@posthorn/mda'

const dayMs = 86_400_000

/** Remove what deliveries that died left behind, now and once a day. The result ends it. */
export const cleanDaily = (
  transports: readonly Pick<MaildirTransport, 'clean'>[],
  o: { readonly clock: Clock; readonly onError: (error: unknown) => void },
): (() => void) => {
  let cancel = (): void => undefined
  const clean = (): void => {
    for (const transport of transports)
      transport.clean().catch((error: unknown) => {
        // Before the first message there is no directory to clean.
        if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) o.onError(error)
      })
    cancel = o.clock.after(dayMs, clean)
  }
  clean()
  return () => cancel()
}
