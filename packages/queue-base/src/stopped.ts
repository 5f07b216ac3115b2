/**
 * A delivery that an operator wants returned waits at a site of its own, so that no pause of the one it was for delays it. Its
 * `why` is what the sender will read.
 */
export const condemned = (site: string): string => (isCondemned(site) ? site : `bounce:${site}`)
/** Whether a site is one of those. */
export const isCondemned = (site: string): boolean => site.startsWith('bounce:')
/** What the sender reads when the operator gave no reason. */
export const bouncedBy = 'it was returned by the postmaster'

/** Why mail of a suspended sender is held begins so; by this it is found again when the sender may go on. */
export const senderPrefix = 'sender suspended by '
/** The whole reason. */
export const heldForSender = (by: string, why: string | undefined): string =>
  `${senderPrefix}${by}${why === undefined ? '' : `: ${why}`}`
