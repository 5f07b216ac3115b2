/** What a peer said, as it said it (bytes above 127 as latin1). Never trusted: bounded by the reader, checked where it is shown. */
export interface RemoteReply {
  readonly code: number
  /** The enhanced status code, when the first line began with one. */
  readonly enhanced?: string
  /** Text without code and enhanced status. */
  readonly lines: readonly string[]
}
