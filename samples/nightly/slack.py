#!/usr/bin/env python3
"""For --on-end: tells Slack about each night that didn't exit with 0. Needs SLACK_WEBHOOK_URL in the environment."""

import json
import os
import sys
import urllib.request

end = json.load(sys.stdin)
text = f"batcher: exit code {end['exitCode']}, {end.get('stoppedReason') or 'finished'}, {end.get('failed', '?')} rows failed"
end["exitCode"] and urllib.request.urlopen(
    os.environ["SLACK_WEBHOOK_URL"], json.dumps({"text": text}).encode(), timeout=15
)
