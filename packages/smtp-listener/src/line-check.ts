import type { ContentFault } from './content-reader.ts'

const NUL = 0
const LF = 10
const CR = 13

/** Looks for what a message in lines may not contain, however it is cut into pieces. */
export class LineCheck {
  /** The first fault met. */
  fault: ContentFault | undefined
  #afterCr = false

  /** The hot loop. Most octets are greater than CR and are passed over by the first comparison. */
  look(octets: Uint8Array): void {
    const { length } = octets
    let afterCr = this.#afterCr
    for (let at = 0; at < length; at++) {
      let octet = octets[at] as number
      if (!afterCr) {
        while (octet > CR && ++at < length) octet = octets[at] as number
        if (at === length) break
      }
      if (afterCr ? octet !== LF : octet === LF) this.fault ??= afterCr ? 'bare-cr' : 'bare-lf'
      else if (octet === NUL) this.fault ??= 'nul'
      afterCr = octet === CR
    }
    this.#afterCr = afterCr
  }
  /** Nothing more comes. */
  end(): void {
    if (this.#afterCr) this.fault ??= 'bare-cr'
  }
}

/** What is wrong with a text that is all there. */
export const faultOf = (octets: Uint8Array): ContentFault | undefined => {
  const check = new LineCheck()
  check.look(octets)
  check.end()
  return check.fault
}
