"""Reads a delivery report from standard input with the email package, and prints what it found as JSON."""

import email
import email.policy
import json
import sys

message = email.message_from_binary_file(sys.stdin.buffer, policy=email.policy.default)
status = next(p for p in message.walk() if p.get_content_type().endswith("delivery-status"))
first, *_ = message.iter_parts()
print(
    json.dumps(
        {
            "defects": [repr(d) for p in message.walk() for d in [*p.defects, *(d for v in p.values() for d in v.defects)]],
            "type": message.get_content_type(),
            "reportType": message.get_param("report-type"),
            "from": message["from"].addresses[0].addr_spec,
            "to": message["to"].addresses[0].addr_spec,
            "subject": message["subject"],
            "date": message["date"].datetime.timestamp(),
            "autoSubmitted": message["auto-submitted"],
            "returnPath": message["return-path"],
            "parts": [p.get_content_type() for p in message.iter_parts()],
            "text": first.get_content(),
            "status": [{k.lower(): str(v) for k, v in block.items()} for block in status.get_payload()],
            "original": [*message.iter_parts()][2].as_string(),
        }
    )
)
