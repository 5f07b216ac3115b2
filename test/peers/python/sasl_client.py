"""GNU SASL as a client: a challenge in base64 on each line of standard input, the response to it on standard output.

Arguments: mechanism, user, password, and what `tls-exporter` gives (RFC 9266), in base64,
or nothing. Ends at the first fault and says which.
"""

import ctypes
import sys

AUTHID, AUTHZID, PASSWORD, TLS_EXPORTER = 1, 2, 3, 25
OK, NEEDS_MORE = 0, 1

mechanism, user, password, binding = (argument.encode() for argument in sys.argv[1:5])
gsasl = ctypes.CDLL("libgsasl.so.18")
gsasl.gsasl_strerror_name.restype = ctypes.c_char_p


def checked(code):
    if code not in (OK, NEEDS_MORE):
        sys.exit(gsasl.gsasl_strerror_name(code).decode())


context, session = ctypes.c_void_p(), ctypes.c_void_p()
checked(gsasl.gsasl_init(ctypes.byref(context)))
checked(gsasl.gsasl_client_start(context, mechanism, ctypes.byref(session)))
for name, value in ((AUTHID, user), (PASSWORD, password), (TLS_EXPORTER, binding)):
    if value:
        checked(gsasl.gsasl_property_set(session, name, value))
for line in sys.stdin:
    response = ctypes.c_char_p()
    checked(gsasl.gsasl_step64(session, line.strip().encode(), ctypes.byref(response)))
    print((response.value or b"").decode(), flush=True)
