"""docpipe's documents in LangChain.

pip install langchain-core
python examples/loaders/langchain_loader.py [FILE]
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from langchain_core.document_loaders import BaseLoader
from langchain_core.documents import Document
from passages import passages, processed

from docpipe import Pipeline


class DocpipeLoader(BaseLoader):
    """The chunks of documents that docpipe has read, one LangChain document each."""

    def __init__(self, pipeline: Pipeline, *document_uuids: str) -> None:
        self._pipeline, self._uuids = pipeline, document_uuids

    def lazy_load(self) -> Iterator[Document]:
        """Raises as `Pipeline.get`."""
        for uuid in self._uuids:
            for each in passages(self._pipeline.get(uuid)):
                yield Document(id=each.id, page_content=each.text, metadata=dict(each.metadata))


if __name__ == "__main__":
    for document in DocpipeLoader(*processed(*sys.argv[1:])).lazy_load():
        print(document.id, document.metadata["page"], document.page_content[:60])
