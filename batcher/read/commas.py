"""The commas of a JSON array: one between two elements. Where one is missing, or too much, perhaps a row is."""

from __future__ import annotations

from collections.abc import Iterator

_COMMA, _NEWLINE = b",\n"
STRAY = "a comma of the array stands here without an element before or after it; remove it, or put in what is missing"
UNSEPARATED = "follows the element before it without a comma; put one between them"


class Misplaced(bytes):
    """What stands in an array where it cannot: an element without a comma before it, or a comma without an element.

    It begins with a NUL, so that nothing takes it for JSON; the text is what follows.
    """

    __slots__ = ()


def misplaced(text: bytes) -> Misplaced:
    """This text, marked."""
    return Misplaced(b"\0" + text)


class Commas:
    """Where in one array the reading is: whether a comma is due, and in which line one stands that awaits its element."""

    def __init__(self) -> None:
        self._is_due = False
        self._line: int | None = None

    def between(self, text: bytes, line: int) -> Iterator[tuple[int, bytes]]:
        """White space and commas, which begin in this line: those commas that follow no element."""
        if text == b"," and self._is_due:  # as nearly always
            self._is_due, self._line = False, line
            return
        for code in text:
            if code == _NEWLINE:
                line += 1
            elif code == _COMMA and self._is_due:
                self._is_due, self._line = False, line
            elif code == _COMMA:
                yield line, misplaced(b",")

    def follow(self) -> bool:
        """An element: whether one may stand here."""
        is_placed, self._is_due, self._line = not self._is_due, True, None
        return is_placed

    def at_the_end(self) -> Iterator[tuple[int, bytes]]:
        """The array ends here: a comma that no element has followed."""
        if self._line is not None:
            yield self._line, misplaced(b",")
