"""The grammar of `--fault`, as the command line prints it."""

from __future__ import annotations

FAULT_HELP = """\
A fault is written [METHOD [PATH]] KIND[=VALUE][WHEN].

METHOD  POST, GET, DELETE or ANY; without it POST, for 404-lag, analysis and other-name GET, for revoke-key ANY.
PATH    the beginning of the path, for example /api/v1/models.
WHEN    of the calls that match METHOD and PATH, counted from 1, behind the rate limit:
        nothing  every one             :0.05  each with this probability (seeded)
        @20      only the 20th         @3,7   the 3rd and the 7th
        @3-8     the 3rd to the 8th    @3-    from the 3rd on
        /20      every 20th

Nothing is created:
  429 503 500 ...   this status (400 to 599); =5 adds Retry-After: 5, =date+5 the same as an HTTP date
  reset-before      the connection is reset
  hang-before       no answer ever
  html              200 with an HTML page, as from a proxy that wants a login
  redirect          302 to /login
  early             413 (or =STATUS) before the body is read
The request is carried out, but:
  reset-after       the connection is reset without an answer
  hang-after        no answer ever
  500-after ...     this status (200 to 599) is answered; =5 adds Retry-After as above
  truncate          half the answer, then the connection ends
  stall             half the answer, then silence
  garbage           201 with an unreadable body
  empty             201 with no body
  html-after        200 with an HTML page
  bare              only the four promised fields are answered
  oversized         an answer of =MEGABYTES (default 9)
  short-length      Content-Length says less than what is sent
  close             a whole answer, then the connection is closed without notice
  other-identifier  it is created under an identifier of the server's choice
  late-commit       the connection is reset at once; it is carried out =SECONDS later (default 2)
Beside whatever else happens:
  slow              =SECONDS (default 1) of delay; the request is carried out in the middle of it
  revoke-key        this request's key gets 403 from now on
  deprecated        Deprecation, Sunset and Link headers
  404-lag           reads say 404 for =SECONDS (default 2) after the document was created
  analysis          reads say 400 "Analysis documents are not supported"
  other-name        reads show another name

Examples: reset-after/20   slow=2.5:0.1   503=30@40-45   "GET 500:0.2"   late-commit=5:0.02
"""
