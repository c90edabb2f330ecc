"""docpipe's documents in LlamaIndex.

pip install llama-index-core
python examples/loaders/llama_index_reader.py [FILE]
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from llama_index.core.readers.base import BaseReader
from llama_index.core.schema import Document
from passages import passages, processed

from docpipe import Pipeline


class DocpipeReader(BaseReader):
    """The chunks of documents that docpipe has read, one LlamaIndex document each."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline

    def lazy_load_data(self, *document_uuids: str) -> Iterator[Document]:
        """Raises as `Pipeline.get`."""
        for uuid in document_uuids:
            for each in passages(self._pipeline.get(uuid)):
                yield Document(id_=each.id, text=each.text, metadata=dict(each.metadata))


if __name__ == "__main__":
    own, uuid = processed(*sys.argv[1:])
    for document in DocpipeReader(own).lazy_load_data(uuid):
        print(document.id_, document.metadata["page"], document.text[:60])
