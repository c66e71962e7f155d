"""Why a row is failed or uncertain, and what to do about it, in one sentence each (contract 6: `reason` and `hint`)."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Why a row is failed or uncertain (contract 6)."""

    INVALID = "invalid"
    SAME_CONTENT = "same_content"
    REJECTED = "rejected"
    NOT_FOUND = "not_found"
    FORBIDDEN = "forbidden"
    IDENTIFIER_TAKEN = "identifier_taken"
    RATE_LIMITED = "rate_limited"
    SERVER_ERROR = "server_error"
    TIMEOUT = "timeout"
    CONNECTION = "connection"
    BAD_RESPONSE = "bad_response"
    INTERRUPTED = "interrupted"


HINTS = {
    Reason.INVALID: "Fix the row in the input, then run the same command again.",
    Reason.SAME_CONTENT: (
        "If it's the same row, run again with --rekey; if you want a second document, with --create-again. --rows FILE limits "
        "either one to some of the rows."
    ),
    Reason.REJECTED: "Read the message, fix the row and run again.",
    Reason.NOT_FOUND: (
        "What the message names (the model, a branch, a topic, a folder, a label) doesn't exist for this key. Check the row; "
        "--create-folders and --create-labels create what's missing."
    ),
    Reason.FORBIDDEN: "The key's owner isn't allowed to create documents on this model. Ask for permission, or use another key.",
    Reason.IDENTIFIER_TAKEN: (
        "Another document has this identifier. Choose another one; if the row has none, run with --namespace TEXT and another "
        "--results; if it's this row's document, run with --adopt-existing."
    ),
    Reason.RATE_LIMITED: "Rejected repeatedly while others pass: a firewall may be objecting to its content. Look at the row.",
    Reason.SERVER_ERROR: "Run the same command again later.",
    Reason.TIMEOUT: "Run the same command again; a longer --timeout may help.",
    Reason.CONNECTION: "Run the same command again.",
    Reason.BAD_RESPONSE: "Run the same command again; if it stays that way, check what answers at the base URL.",
    Reason.INTERRUPTED: "Run the same command again.",
}

STEP_HINTS = {  # of created rows
    Reason.REJECTED: "Read the message, fix the row's folder or labels and run again: only the missing step is done.",
    Reason.NOT_FOUND: (
        "Create what's missing in Omni (or run with --create-folders, --create-labels), or fix the row, and run again: only the "
        "missing step is done."
    ),
    Reason.FORBIDDEN: (
        "The key's owner isn't allowed to do that. Ask for permission and run again: only the missing step is done."
    ),
    Reason.INTERRUPTED: "Run the same command again: only the missing step is done.",
}
DOCUMENT_GONE = (
    "Someone deleted the document; Trash may hold it. Restore it and run again, or give the row another key and run with "
    "--create-again."
)
NOT_REACHED = "created; the run ended before its step: {}"
UNCERTAIN = "It may exist. Run the same command again: batcher looks it up first and never creates it twice."
UNCERTAIN_UNNAMED = (
    "It may exist, under an identifier that the server chose. Look for it in Omni; if you find it, put its identifier into "
    "this row's line of the failures file and run that file with --adopt-existing; if you're sure it isn't there, run with "
    "--resend-uncertain."
)
FIREWALL = (
    "Something in front of the server (a firewall or proxy) blocks this row but not others; it may be objecting to its "
    "content. Look at the row, or have the firewall let it through, and run again."
)
TRASH = " If no document has this identifier, Trash may still hold it: choose another identifier."
UNREADABLE = (
    "Ask someone who can read it whether it is this row's document; with another key, run the same command again."
)
