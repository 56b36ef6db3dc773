"""LangChain with FAISS.

- `flat`: `FAISS.from_embeddings` with inner product, its own exact index
  (https://docs.langchain.com/oss/python/integrations/vectorstores/faiss).
- `hnsw`: the same store over a graph that is given to it, as its reference lets one do (key init argument `index`).
- `hybrid`: `EnsembleRetriever` over `BM25Retriever` and the exact store, half and half, as
  https://reference.langchain.com/python/langchain-classic/retrievers/ensemble/EnsembleRetriever and its guide say.
  `BM25Retriever` can neither be saved nor added to: it is made anew from the store's documents.

The documents of the hybrid set-up are the words with blanks between, for `BM25Retriever` cuts at blanks.
"""

from __future__ import annotations

from pathlib import Path

import faiss
from data import TOP, Passages, Question
from langchain_community.docstore.in_memory import InMemoryDocstore
from langchain_community.vectorstores import FAISS
from langchain_community.vectorstores.utils import DistanceStrategy
from langchain_core.embeddings import Embeddings


class Known(Embeddings):
    """The vectors of the questions."""

    def __init__(self, questions: list[Question]) -> None:
        self.vectors = {x.words: x.floats for x in questions}

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        raise NotImplementedError("documents come with their vectors")

    def embed_query(self, text: str) -> list[float]:
        return self.vectors[text]


class System:
    def __init__(self, kind: str, questions: list[Question]) -> None:
        self.kind = kind
        self.model = Known(questions)

    def build(self, passages: Passages) -> None:
        if self.kind == "hnsw":
            index = faiss.IndexHNSWFlat(passages.vectors.shape[1], 32, faiss.METRIC_INNER_PRODUCT)
            index.hnsw.efSearch = 64
            strategy = DistanceStrategy.MAX_INNER_PRODUCT
            self.store = FAISS(self.model, index, InMemoryDocstore(), {}, distance_strategy=strategy)
            self.store.add_embeddings(self._pairs(passages), ids=[str(x) for x in passages.rows])
        else:
            self.store = FAISS.from_embeddings(
                self._pairs(passages),
                self.model,
                ids=[str(x) for x in passages.rows],
                distance_strategy=DistanceStrategy.MAX_INNER_PRODUCT,
            )
        self._ensemble()

    def _pairs(self, passages: Passages) -> zip:  # type: ignore[type-arg]
        return zip(passages.words if self.kind == "hybrid" else passages.texts, passages.vectors, strict=True)

    def _ensemble(self) -> None:
        if self.kind != "hybrid":
            return
        from langchain_classic.retrievers import EnsembleRetriever
        from langchain_community.retrievers import BM25Retriever

        ids = self.store.index_to_docstore_id
        documents = [self.store.docstore.search(ids[n]) for n in range(len(ids))]
        bm25 = BM25Retriever.from_documents(documents, k=TOP)
        dense = self.store.as_retriever(search_kwargs={"k": TOP})
        self.retriever = EnsembleRetriever(retrievers=[bm25, dense], weights=[0.5, 0.5])

    def save(self, folder: Path) -> None:
        self.store.save_local(str(folder))

    def load(self, folder: Path) -> None:
        self.store = FAISS.load_local(
            str(folder),
            self.model,
            allow_dangerous_deserialization=True,
            distance_strategy=DistanceStrategy.MAX_INNER_PRODUCT,
        )
        self._ensemble()

    def search(self, question: Question) -> list[int]:
        if self.kind == "hybrid":
            found = self.retriever.invoke(question.words)
        else:
            found = self.store.similarity_search_by_vector(question.floats, k=TOP)
        return [int(x.id) for x in found[:TOP]]

    def add(self, passages: Passages) -> None:
        self.store.add_embeddings(self._pairs(passages), ids=[str(x) for x in passages.rows])
        self._ensemble()
