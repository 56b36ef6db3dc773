r"""Haystack with its FAISS document store.

- `flat`, `hnsw`: `FAISSDocumentStore` with `index_string` "Flat", its default, or "HNSW32", and
  `FAISSEmbeddingRetriever` (https://docs.haystack.deepset.ai/reference/integrations-faiss).
- `hybrid`: that store has no BM25, so `InMemoryBM25Retriever` stands beside it, and `DocumentJoiner` joins both by
  reciprocal rank fusion in a `Pipeline` (https://docs.haystack.deepset.ai/docs/documentjoiner). Words are what stands
  between blanks (`bm25_tokenization_regex`).
"""

from __future__ import annotations

from pathlib import Path

import faiss
from data import TOP, Passages, Question
from haystack import Document, Pipeline
from haystack.components.joiners import DocumentJoiner
from haystack.components.retrievers.in_memory import InMemoryBM25Retriever
from haystack.document_stores.in_memory import InMemoryDocumentStore
from haystack_integrations.components.retrievers.faiss import FAISSEmbeddingRetriever
from haystack_integrations.document_stores.faiss import FAISSDocumentStore


class System:
    def __init__(self, kind: str, questions: list[Question]) -> None:
        self.kind = kind
        self.dim = len(questions[0].floats)

    def build(self, passages: Passages) -> None:
        self.store = FAISSDocumentStore(
            index_string="HNSW32" if self.kind == "hnsw" else "Flat", embedding_dim=self.dim
        )
        if self.kind == "hnsw":
            faiss.downcast_index(self.store.index.index).hnsw.efSearch = 64
        if self.kind == "hybrid":
            self.words = InMemoryDocumentStore(bm25_tokenization_regex=r"\S+")
        self.add(passages)
        self._connect()

    def add(self, passages: Passages) -> None:
        texts = passages.words if self.kind == "hybrid" else passages.texts
        rows = list(zip(passages.rows, texts, strict=True))
        vectors = [vector.tolist() for vector in passages.vectors]
        self.store.write_documents(
            [
                Document(id=str(row), content=text, embedding=vector)
                for (row, text), vector in zip(rows, vectors, strict=True)
            ]
        )
        if self.kind == "hybrid":
            self.words.write_documents([Document(id=str(row), content=text) for row, text in rows])

    def _connect(self) -> None:
        self.retriever = FAISSEmbeddingRetriever(document_store=self.store, top_k=TOP)
        if self.kind != "hybrid":
            return
        self.pipeline = Pipeline()
        self.pipeline.add_component("dense", self.retriever)
        self.pipeline.add_component("bm25", InMemoryBM25Retriever(self.words, top_k=TOP))
        self.pipeline.add_component("joiner", DocumentJoiner("reciprocal_rank_fusion", top_k=TOP))
        self.pipeline.connect("dense", "joiner")
        self.pipeline.connect("bm25", "joiner")

    def save(self, folder: Path) -> None:
        self.store.save(folder / "store")
        if self.kind == "hybrid":
            self.words.save_to_disk(str(folder / "words.json"))

    def load(self, folder: Path) -> None:
        self.store = FAISSDocumentStore(
            index_path=str(folder / "store"),
            index_string="HNSW32" if self.kind == "hnsw" else "Flat",
            embedding_dim=self.dim,
        )
        if self.kind == "hybrid":
            self.words = InMemoryDocumentStore.load_from_disk(str(folder / "words.json"))
        self._connect()

    def search(self, question: Question) -> list[int]:
        if self.kind == "hybrid":
            asked = {"dense": {"query_embedding": question.floats}, "bm25": {"query": question.words}}
            return [int(x.id) for x in self.pipeline.run(asked)["joiner"]["documents"]]
        return [int(x.id) for x in self.retriever.run(query_embedding=question.floats)["documents"]]
