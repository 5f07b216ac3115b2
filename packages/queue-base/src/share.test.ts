import { expect, test } from 'vitest'
import { fallsTo } from './share.ts'

const sites = Array.from({ length: 3000 }, (_, i) => `mx:d${i}.example`)
const ownerOf = (site: string, members: readonly string[]): readonly string[] =>
  members.filter(self => fallsTo(site, { self, members }))

test('each site falls to exactly one member, about as many to each, in whatever order they are named', () => {
  const members = ['1', '2', '3']
  const counts = new Map<string, number>()
  for (const site of sites) {
    const owners = ownerOf(site, members)
    expect(owners).toHaveLength(1)
    expect(ownerOf(site, ['3', '1', '2'])).toEqual(owners)
    counts.set(owners[0] ?? '', (counts.get(owners[0] ?? '') ?? 0) + 1)
  }
  for (const member of members) expect(counts.get(member)).toBeGreaterThan(800)
})

test('when a member goes, only its sites move', () => {
  const stay = sites.filter(site => ownerOf(site, ['1', '2', '3'])[0] !== '2')
  expect(stay.map(site => ownerOf(site, ['1', '3']))).toEqual(stay.map(site => ownerOf(site, ['1', '2', '3'])))
})

test('nothing falls to who is no member, and all to who is alone', () => {
  expect(fallsTo('mx:a.example', { self: '4', members: ['1', '2'] })).toBe(false)
  expect(fallsTo('mx:a.example', { self: '4', members: [] })).toBe(false)
  expect(fallsTo('mx:a.example', { self: '4', members: ['4'] })).toBe(true)
})
