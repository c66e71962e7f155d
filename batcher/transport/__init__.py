"""One request on a socket, and whether the server can have seen it."""
