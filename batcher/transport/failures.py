"""What kept a connection from being made, or broke an exchange: each told apart by its cause, in words for a person."""

from __future__ import annotations

import os
import socket
import ssl

import aiohttp
from aiohttp.http import HttpProcessingError

from .headers import printable
from .reply import Cause, Lost, NotSent

_LONGEST_REASON = 200  # characters; a parser repeats what it could not read
_UNKNOWN_HOST = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}  # anything else may pass
# OpenSSL's verify codes (x509_vfy.h), by what a person can do about them
_UNKNOWN_AUTHORITY = {2, 18, 19, 20, 21}
_WRONG_TIME = {9, 10}
_WRONG_NAME = {62, 64}


def lost(error: Exception, status: int | None) -> Lost:
    """What broke the exchange. A dead kept connection is no exception: whether the server read the request is unknown."""
    unreadable = _unreadable(error)
    if unreadable is not None:
        return Lost(Cause.UNREADABLE, f"the answer can't be understood ({_reason(unreadable)})", status)
    if isinstance(error, aiohttp.ClientPayloadError):
        return Lost(Cause.TRUNCATED, "the answer ended early", status)
    return Lost(Cause.RESET, f"the connection was lost ({type(error).__name__})", status)


def _unreadable(error: BaseException) -> HttpProcessingError | None:
    """The parser's own complaint, which aiohttp may have wrapped up. What it says of an early end is none."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, HttpProcessingError):
            return None if isinstance(cause, aiohttp.http_exceptions.TransferEncodingError | _TOO_SHORT) else cause
        cause = cause.__cause__
    return None


_TOO_SHORT = aiohttp.http_exceptions.ContentLengthError


def _reason(error: HttpProcessingError) -> str:
    """The first words of what the parser says; further lines draw where it stopped."""
    said = printable(error.message or type(error).__name__).strip().split("\n", maxsplit=1)[0]
    return said[:_LONGEST_REASON].rstrip(": ") or type(error).__name__


def not_sent(error: aiohttp.ClientError | OSError) -> NotSent:
    """What kept the connection from being made."""
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return NotSent(Cause.CERTIFICATE, _of_certificate(error.certificate_error))
        case aiohttp.ClientConnectorSSLError():
            return NotSent(Cause.TLS, f"no TLS connection: {error.os_error}")
        case aiohttp.ClientConnectorDNSError() if error.os_error.errno in _UNKNOWN_HOST:
            return NotSent(Cause.DNS, f"the host {error.host} is not known")
        case aiohttp.ClientConnectorDNSError():
            return NotSent(Cause.REFUSED, f"the host {error.host} can't be looked up now ({error.os_error.strerror})")
        case aiohttp.ClientConnectorError():
            return NotSent(Cause.REFUSED, f"no connection to {error.host}:{error.port} ({_why(error.os_error)})")
        case aiohttp.ClientHttpProxyError():
            return NotSent(Cause.REFUSED, f"the proxy refused to connect ({error.status} {printable(error.message)})")
        case _:
            return NotSent(Cause.REFUSED, f"no connection ({type(error).__name__}: {error})")


def _of_certificate(error: Exception) -> str:
    """What is wrong with the certificate, and what helps: each kind has its own remedy."""
    code = error.verify_code if isinstance(error, ssl.SSLCertVerificationError) else 0
    remedy = "Check the base URL and this machine's clock"
    if code in _UNKNOWN_AUTHORITY:
        remedy = (
            "Its authority isn't trusted here. If your company's proxy inspects TLS, set SSL_CERT_FILE to its CA file"
        )
    elif code in _WRONG_TIME:
        remedy = "Check this machine's clock"
    elif code in _WRONG_NAME or not isinstance(error, ssl.SSLCertVerificationError):
        remedy = "It belongs to another host. Check the base URL"
    said = error.verify_message if isinstance(error, ssl.SSLCertVerificationError) else str(error)
    return f"the server's certificate isn't valid: {said}. {remedy}"


def _why(error: OSError) -> str:
    """The system's words; asyncio puts the address into their place, which stands beside them anyway."""
    return os.strerror(error.errno).lower() if error.errno else str(error)
