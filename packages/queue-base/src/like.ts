/** Text in a pattern of SQL's `like`, where a backslash escapes: it stands for itself. */
export const escapeLike = (text: string): string => text.replace(/[\\%_]/g, c => `\\${c}`)

/** What `~` of a filter finds, as such a pattern: `*` stands for any characters; without one it means "contains". */
export const likePattern = (text: string): string => {
  const escaped = escapeLike(text)
  return escaped.includes('*') ? escaped.replaceAll('*', '%') : `%${escaped}%`
}
