"""Writes messages with the mailbox module into a Maildir, which it makes. The second argument is JSON: [{subject, body, flags}]."""

import json
import mailbox
import sys

box = mailbox.Maildir(sys.argv[1], create=True)
for m in json.loads(sys.argv[2]):
    message = mailbox.MaildirMessage()
    message["From"] = "Bob <bob@sender.test>"
    message["To"] = "ann@example.org"
    message["Subject"] = m["subject"]
    message.set_payload(m["body"])
    message.set_flags(m["flags"])
    message.set_subdir("cur" if m["flags"] else "new")
    box.add(message)
