import { randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Users } from '@posthorn/msa'
import { developmentUser } from './development.ts'

export interface DevelopmentUser {
  readonly name: string
  readonly password: string
}

const file = (state: string): string => join(state, 'development.json')

/** The user of development mode with the password in clear, kept so that it can be printed again and `posthorn send` can log in. */
export const readDevelopmentUser = (state: string): DevelopmentUser | undefined => {
  try {
    return JSON.parse(readFileSync(file(state), 'utf8')) as DevelopmentUser
  } catch {
    return undefined
  }
}

export const prepareDevelopmentUser = async (users: Users, state: string): Promise<DevelopmentUser> => {
  const known = readDevelopmentUser(state)
  if (known !== undefined && users.list().some(u => u.name === known.name)) return known
  const user = { name: developmentUser, password: randomBytes(9).toString('base64url') }
  if (users.list().some(u => u.name === user.name)) await users.setPassword(user.name, user.password)
  else await users.add({ name: user.name, password: user.password })
  writeFileSync(file(state), JSON.stringify(user), { mode: 0o600 })
  return user
}
