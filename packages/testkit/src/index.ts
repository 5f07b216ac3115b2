export { manualClock, seededRandom } from './clock.ts'
export type { ManualClock } from './clock.ts'
export { waits } from './waits.ts'
export { byteByByte, parseTranscript, playTranscript, whole } from './transcript.ts'
export type { Cut, Subject, Transcript, TranscriptStep } from './transcript.ts'
export { scriptedNetwork } from './scripted-peer.ts'
export type { PeerScript, ScriptedNetwork, ScriptedPeer } from './scripted-peer.ts'
export { transcriptPeer } from './scripted-transcript.ts'
export { failureOf, holds, same } from './check.ts'
export { faultyQueue } from './faulty-queue.ts'
export type { Fault, FaultyCall } from './faulty-queue.ts'
export { keyValueContract } from './keyvalue-contract.ts'
export { queueContract } from './queue-contract.ts'
export { queueOutageCases } from './queue-outage-cases.ts'
export type { QueueInOutage } from './queue-outage-cases.ts'
export type { ContractCase, KeyValueUnderTest, QueueUnderTest } from './queue-contract.ts'
export {
  claimSample,
  enqueueSample,
  sampleMailbox,
  sampleMessage,
  sampleOwner,
  sampleRecipient,
  textOf,
} from './sample-message.ts'
export { messageOf, testPlugin } from './plugin-harness.ts'
export type { PluginHarness, TestPluginOptions } from './plugin-harness.ts'
export type { Outgoing, Who } from './plugin-contexts.ts'
export { memoryKeyValue } from './memory-keyvalue.ts'
export { staticResolver } from './static-resolver.ts'
export type { NameRecords, Records } from './static-resolver.ts'
