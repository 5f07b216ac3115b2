/** One field with its original bytes, folding and line ending included. */
export interface HeaderField {
  /** As written, such as `Message-ID`. */
  readonly name: string
  readonly raw: Uint8Array
}

/** A header block that keeps the bytes of every field (RFC 5322 §2.2); edits make new blocks. Names compare without case. */
export interface Headers {
  readonly fields: readonly HeaderField[]
  /** Unfolded, trimmed values of all fields of that name, topmost first. UTF-8, invalid bytes replaced. */
  all(name: string): readonly string[]
  /** The topmost value. */
  first(name: string): string | undefined
  /** Lower-case names in order of appearance, repeated as the fields are. */
  names(): readonly string[]
}
