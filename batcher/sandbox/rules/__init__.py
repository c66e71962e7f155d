"""The server's own rules for bodies and queries: JSON schemas, and the words in which the API refuses what breaks them.

`openapi.json` shows the schemas as they are, and `schema.Checker` checks by them. On purpose not shared with
`batcher.validate`: that one is the client's, and a rule misread there must show here.
"""
