import type { Share } from '@posthorn/contracts'

/** FNV-1a, with its last bits stirred so that names which differ at their end alone do not keep their order. */
const hash = (text: string): number => {
  let h = 0x811c9dc5
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193)
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  return (h ^ (h >>> 13)) >>> 0
}

/**
 * Whether a site is for the member that asks: the one with the highest hash of its name and the site's (rendezvous hashing), so that
 * a member who comes or goes moves its own sites and no others. A member that is not among them has none.
 */
export const fallsTo = (site: string, { self, members }: Share): boolean => {
  let best = ''
  let most = -1
  for (const member of members) {
    const weight = hash(`${member}\n${site}`)
    if (weight > most || (weight === most && member < best)) {
      most = weight
      best = member
    }
  }
  return most >= 0 && best === self
}
