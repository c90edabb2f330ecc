"""The graph of documents, and of the entities of a project: read, compared, exported, shown."""
