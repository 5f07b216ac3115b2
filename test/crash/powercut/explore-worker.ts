// Explores one part of the images, in a thread of its own.
import { parentPort, workerData } from 'node:worker_threads'
import { explore, type Plan } from './explore.ts'

const plan = workerData as Plan
parentPort?.postMessage(await explore(plan), [])
