/** What is wrong with a spool file, of which the row says the size; undefined when it can be sent. */
export const spoolFault = (
  stat: { isFile(): boolean; readonly uid: number; readonly size: number } | undefined,
  size: number,
): string | undefined => {
  if (stat === undefined) return 'its spool file is missing'
  if (!stat.isFile()) return 'its spool file is no regular file'
  if (stat.uid !== process.geteuid?.()) return `its spool file belongs to user ${stat.uid}`
  return stat.size === size ? undefined : `its spool file has ${stat.size} octets of ${size}`
}
