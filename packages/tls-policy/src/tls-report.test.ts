import { expect, test } from 'vitest'
import { reportAddresses, tlsReportFile, tlsReportJson } from './tls-report.ts'

test('a report has the structure of the example in RFC 8460, appendix B', () => {
  const text = tlsReportJson({
    day: '2016-04-01',
    organization: 'Company-X',
    contact: 'sts-reporting@company-x.example',
    id: '5065427c-23d3-47ca-b6e0-946ea0e8c4be',
    counts: [
      {
        policy: {
          type: 'sts',
          domain: 'company-y.example',
          strings: ['version: STSv1', 'mode: testing', 'mx: *.mail.company-y.example', 'max_age: 86400'],
          mx: ['*.mail.company-y.example'],
        },
        succeeded: 5326,
        failed: 303,
        failures: [
          {
            type: 'certificate-expired',
            host: 'mx1.mail.company-y.example',
            ip: '203.0.113.56',
            reason: 'x',
            count: 100,
          },
          { type: 'sts-policy-fetch-error', host: '', ip: '', reason: 'the server answers 404', count: 203 },
        ],
      },
      {
        policy: { type: 'no-policy-found', domain: 'company-y.example', strings: [], mx: [] },
        succeeded: 1,
        failed: 0,
        failures: [],
      },
    ],
  })
  expect(JSON.parse(text)).toEqual({
    'organization-name': 'Company-X',
    'date-range': { 'start-datetime': '2016-04-01T00:00:00Z', 'end-datetime': '2016-04-01T23:59:59Z' },
    'contact-info': 'sts-reporting@company-x.example',
    'report-id': '5065427c-23d3-47ca-b6e0-946ea0e8c4be',
    policies: [
      {
        policy: {
          'policy-type': 'sts',
          'policy-string': ['version: STSv1', 'mode: testing', 'mx: *.mail.company-y.example', 'max_age: 86400'],
          'policy-domain': 'company-y.example',
          'mx-host': ['*.mail.company-y.example'],
        },
        summary: { 'total-successful-session-count': 5326, 'total-failure-session-count': 303 },
        'failure-details': [
          {
            'result-type': 'certificate-expired',
            'receiving-mx-hostname': 'mx1.mail.company-y.example',
            'receiving-ip': '203.0.113.56',
            'failed-session-count': 100,
            'failure-reason-code': 'x',
          },
          {
            'result-type': 'sts-policy-fetch-error',
            'failed-session-count': 203,
            'failure-reason-code': 'the server answers 404',
          },
        ],
      },
      {
        policy: { 'policy-type': 'no-policy-found', 'policy-domain': 'company-y.example' },
        summary: { 'total-successful-session-count': 1, 'total-failure-session-count': 0 },
      },
    ],
  })
})
test('its file says who reports on whom and when (RFC 8460 §5.1)', () => {
  const file = tlsReportFile({ submitter: 'mx.us.example', domain: 'them.example', day: '1970-01-02', id: '1a' })
  expect(file).toBe('mx.us.example!them.example!86400!172799!1a.json.gz')
})
test.each<[string, readonly string[], readonly string[]]>([
  ['one address', ['v=TLSRPTv1; rua=mailto:tls@a.example'], ['tls@a.example']],
  [
    'several, escapes and https, which is left out',
    ['v=TLSRPTv1;rua=mailto:a%2Cb@a.example?x,https://a.example/v1,mailto:c@a.example;'],
    ['a,b@a.example', 'c@a.example'],
  ],
  ['other records beside it', ['v=spf1 -all', 'v=TLSRPTv1; rua=mailto:tls@a.example'], ['tls@a.example']],
  [
    'two of them, of which none counts',
    ['v=TLSRPTv1; rua=mailto:a@a.example', 'v=TLSRPTv1; rua=mailto:b@a.example'],
    [],
  ],
  ['another version', ['v=TLSRPTv2; rua=mailto:a@a.example'], []],
  ['a broken escape', ['v=TLSRPTv1; rua=mailto:%zz@a.example'], []],
  [
    'no more than ten',
    [`v=TLSRPTv1; rua=${Array(50).fill('mailto:a@a.example').join(',')}`],
    Array<string>(10).fill('a@a.example'),
  ],
])('where reports go: %s', (_, records, addresses) => {
  expect(reportAddresses(records)).toEqual(addresses)
})
