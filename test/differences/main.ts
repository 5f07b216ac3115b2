// Writes docs/differences.md: `npm run differences`. It needs root and what scripts/install-peers installs.
import { writeFileSync } from 'node:fs'
import { findDifferences } from './compare.ts'
import { documentOf, unexplained } from './document.ts'
import { explanations } from './why.ts'

const findings = await findDifferences()
const faults = unexplained(findings, explanations)
for (const fault of faults) console.error(fault)
const page = new URL('../../docs/differences.md', import.meta.url)
writeFileSync(page, documentOf(findings, explanations))
console.log(`wrote docs/differences.md${faults.length > 0 ? `, with ${faults.length} faults` : ''}`)
process.exitCode = faults.length > 0 ? 1 : 0
