import { defineConfig } from '@posthorn/stack'

/** A site as an operator would write it, on free ports of loopback. */
export default defineConfig({
  hostname: 'mx.example.org',
  domains: ['example.org'],
  mailboxes: ['me'],
  listeners: {
    mx: { host: '127.0.0.1', port: 0 },
    submission: false,
    submissions: false,
    lmtp: { host: '127.0.0.1', port: 0 },
  },
})
