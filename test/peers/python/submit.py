"""Submits a message with smtplib. What and where is JSON on standard input; prints the refused recipients as JSON."""

import json
import smtplib
import ssl
import sys

o = json.load(sys.stdin)
if o.get("certificate"):
    context = ssl.create_default_context(cafile=o["certificate"])
if o.get("tls") == "implicit":
    client = smtplib.SMTP_SSL("localhost", o["port"], context=context)
else:
    client = smtplib.SMTP("localhost", o["port"])
    if o.get("tls") == "starttls":
        client.starttls(context=context)
client.ehlo()
if o.get("mechanism"):
    client.user, client.password = o["user"], o["password"]
    client.auth(o["mechanism"], getattr(client, "auth_" + o["mechanism"].lower()))
refused = client.sendmail(
    o["from"],
    o["to"],
    o["message"].encode("utf-8"),
    mail_options=o.get("mailOptions", []),
    rcpt_options=o.get("rcptOptions", []),
)
client.quit()
print(json.dumps({to: [code, text.decode()] for to, (code, text) in refused.items()}))
