"""The bodies of the sandbox's answers: errors in Omni's shapes, documents, folders and labels as the API shows them."""
