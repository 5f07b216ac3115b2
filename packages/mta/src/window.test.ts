import { describe, expect, it } from 'vitest'
import { Window } from './window.ts'

const answers = (window: Window, n: number): number => {
  for (let i = 0; i < n; i++) window.grow()
  return window.size
}

describe('Window', () => {
  it('grows by one for a window of answers and stops at its bound', () => {
    const window = new Window(5, 20)
    expect(window.size).toBe(5)
    expect(answers(window, 5)).toBe(6)
    expect(answers(window, 6)).toBe(7)
    expect(answers(window, 1000)).toBe(20)
  })
  it('halves at a failure and never goes below one', () => {
    const window = new Window(5, 20)
    window.shrink()
    expect(window.size).toBe(2)
    window.shrink()
    window.shrink()
    expect(window.size).toBe(1)
    expect(answers(window, 1)).toBe(2)
  })
  it('starts no higher than its bound', () => {
    expect(new Window(5, 2).size).toBe(2)
    expect(new Window(0, 0).size).toBe(1)
  })
})
