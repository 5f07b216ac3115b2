/** What has been taken for the end of a message by one server or another. */
export const framingRows: readonly (readonly [row: number, name: string, octets: string])[] = [
  [1, 'LF . LF', '\n.\n'],
  [2, 'LF . CRLF', '\n.\r\n'],
  [3, 'CRLF . LF', '\r\n.\n'],
  [4, 'CR . CR', '\r.\r'],
  [5, 'CR . LF', '\r.\n'],
  [6, 'LF . CR', '\n.\r'],
  [7, 'CR . CRLF', '\r.\r\n'],
  [8, 'CRLF . CR', '\r\n.\r'],
  [9, 'CRLF NUL . CRLF', '\r\n\0.\r\n'],
  [10, 'CRLF . NUL CRLF', '\r\n.\0\r\n'],
  [11, 'CRLF . CR CRLF', '\r\n.\r\r\n'],
  [11, 'CR CRLF . CR CRLF', '\r\r\n.\r\r\n'],
  [12, 'a bare LF', 'a\nb\r\n'],
  [12, 'a bare CR', 'a\rb\r\n'],
  [12, 'NUL', 'a\0b\r\n'],
]
