#!/usr/bin/env python3
"""For --on-end: a ping after each night that was whole, to whoever raises an alarm when none comes (HEARTBEAT_URL)."""

import json
import os
import sys
import urllib.request

end = json.load(sys.stdin)
urllib.request.urlopen(os.environ["HEARTBEAT_URL"] + ("" if end["exitCode"] == 0 else "/fail"), timeout=15)
