"""Reads a Maildir with the mailbox module and prints its messages as JSON, by subject."""

import json
import mailbox
import os
import re
import sys

box = mailbox.Maildir(sys.argv[1], create=False)
found = []
for key, message in box.iteritems():
    path = os.path.join(sys.argv[1], box._lookup(key))
    size = re.search(r",S=(\d+)", path)
    found.append(
        {
            "subject": message["subject"],
            "body": message.get_payload(),
            "flags": message.get_flags(),
            "subdir": message.get_subdir(),
            "size": os.path.getsize(path),
            "sizeInName": int(size.group(1)) if size else None,
        }
    )
print(json.dumps(sorted(found, key=lambda m: m["subject"])))
