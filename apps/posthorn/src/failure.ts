/** Something the person at the keyboard can put right: printed without a stack, exit code 1 (2 for a wrong argument). */
export class Failure extends Error {
  override readonly name = 'Failure'
  readonly exitCode: number
  constructor(message: string, exitCode = 1) {
    super(message)
    this.exitCode = exitCode
  }
}
