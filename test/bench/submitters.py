"""Clients in one process: each submits one message a connection, with STARTTLS and AUTH, and none resumes a TLS session.

Arguments: port, sessions at once, messages in all, octets of each, user, password, recipient. TLS is the machine's OpenSSL with
what it offers by default, as most programs here have it. Clients share the processors with what they measure, so they are not
in JavaScript, where each costs a third more.
"""

import base64
import select
import socket
import ssl
import sys

port, sessions, count, octets = map(int, sys.argv[1:5])
user, password, to = sys.argv[5:]

plain = base64.b64encode(f"\0{user}\0{password}".encode()).decode()
header = f"From: {user}\r\nSubject: bench\r\n\r\n"
lines, rest = divmod(octets - len(header) - 2, 70)
message = header + ("x" * 68 + "\r\n") * lines + "x" * rest + "\r\n"
# What is said, and how it must be answered.
in_clear = [("EHLO load.test", b"250"), ("STARTTLS", b"220")]
under_tls = [
    ("EHLO load.test", b"250"),
    (f"AUTH PLAIN {plain}", b"235"),
    (f"MAIL FROM:<{user}>", b"250"),
    (f"RCPT TO:<{to}>", b"250"),
    ("DATA", b"354"),
    (f"{message}.", b"250"),
    ("QUIT", b"221"),
]

context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE


def hear(connection, code):
    """Yields for as long as the reply has not all come."""
    text = b""
    while not (text.endswith(b"\n") and text[text.rfind(b"\n", 0, -1) + 1 :][3:4] == b" "):
        yield
        try:
            chunk = connection.recv(16384)
        except ssl.SSLWantReadError:
            continue
        text += chunk
        if not chunk or not text.startswith(code):
            sys.exit(f"expected {code.decode()}: {text!r}")


def say(connection, words):
    for said, code in words:
        connection.send(f"{said}\r\n".encode())
        yield from hear(connection, code)


def submit(connection):
    yield from hear(connection, b"220")
    yield from say(connection, in_clear)
    with context.wrap_socket(connection, do_handshake_on_connect=False, server_hostname="bench.test") as secured:
        while True:
            try:
                secured.do_handshake()
                break
            except ssl.SSLWantReadError:
                yield
        yield from say(secured, under_tls)


poll = select.epoll()
under_way = {}


def begin():
    global count
    if count == 0:
        return
    count -= 1
    connection = socket.create_connection(("127.0.0.1", port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setblocking(False)
    client = submit(connection)
    next(client)
    # TLS keeps the file descriptor.
    under_way[connection.fileno()] = client
    poll.register(connection.fileno(), select.EPOLLIN)


for _ in range(sessions):
    begin()
while under_way:
    for fd, _ in poll.poll():
        if next(under_way[fd], "done") == "done":
            # Closed by now, and so forgotten by epoll.
            del under_way[fd]
            begin()
