/** The flags of the specification; `a` to `z` are a mailbox's own keywords. */
export const flag: {
  readonly passed: 'P'
  readonly replied: 'R'
  readonly seen: 'S'
  readonly trashed: 'T'
  readonly draft: 'D'
  readonly flagged: 'F'
} = { passed: 'P', replied: 'R', seen: 'S', trashed: 'T', draft: 'D', flagged: 'F' }

/** Whether these are flags a name may bear: letters only. */
export const areFlags = (flags: string): boolean => /^[A-Za-z]*$/.test(flags)

/** In the one lawful order (ASCII), each once. Throws RangeError on anything but letters. */
export const normaliseFlags = (flags: string): string => {
  if (!areFlags(flags)) throw new RangeError(`flags are letters, not ${JSON.stringify(flags)}`)
  return [...new Set(flags)].sort().join('')
}

/** What to do to a message's flags: `set` first, then `add`, then `remove`. */
export interface FlagChange {
  readonly set?: string
  readonly add?: string
  readonly remove?: string
}

/** The flags after a change, normalised. What other programs put there that is no letter is dropped. */
export const changeFlags = (flags: string, change: FlagChange): string => {
  const start = change.set ?? flags.replaceAll(/[^A-Za-z]/g, '')
  const gone = new Set(normaliseFlags(change.remove ?? ''))
  return Array.from(normaliseFlags(start + (change.add ?? '')))
    .filter(f => !gone.has(f))
    .join('')
}
