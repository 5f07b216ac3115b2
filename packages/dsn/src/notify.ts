/** What a report can say of a recipient (RFC 3464 §2.3.3). */
export type Action = 'failed' | 'delayed' | 'delivered' | 'relayed' | 'expanded'

/** The NOTIFY parameter of RCPT (RFC 3461 §4.1). */
export type NotifyOn = readonly ('success' | 'failure' | 'delay')[] | 'never'

/**
 * Whether the sender wants to hear of this. Without NOTIFY failures and delays are reported, successes are not
 * (RFC 3461 §4.1). That nothing is ever reported to the null sender is for the caller to see to: it has nobody to write to.
 */
export const wantsReport = (notify: NotifyOn | undefined, action: Action): boolean => {
  if (notify === 'never') return false
  if (action === 'failed') return notify === undefined || notify.includes('failure')
  if (action === 'delayed') return notify === undefined || notify.includes('delay')
  return notify?.includes('success') === true
}
