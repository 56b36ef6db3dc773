"""LlamaIndex with FAISS.

- `flat`, `hnsw`: `VectorStoreIndex` over `FaissVectorStore`, saved and loaded by its storage context
  (https://developers.llamaindex.ai/python/framework/integrations/vector_stores/faissindexdemo). The index is by inner
  product: `QueryFusionRetriever` sorts by falling score, which for its example's L2 would be the farthest first.
- `hybrid`: `QueryFusionRetriever` in the mode `reciprocal_rerank` over the exact store and `BM25Retriever`, which is
  bm25s, with one query and no language model
  (https://developers.llamaindex.ai/python/framework/integrations/retrievers/reciprocal_rerank_fusion). English stemming
  is off, and words are what stands between blanks; `BM25Retriever` can't be added to and is made anew.
"""

from __future__ import annotations

from pathlib import Path

import faiss
from data import TOP, Passages, Question
from llama_index.core import MockEmbedding, Settings, StorageContext, VectorStoreIndex, load_index_from_storage
from llama_index.core.llms import MockLLM
from llama_index.core.schema import QueryBundle, TextNode
from llama_index.vector_stores.faiss import FaissVectorStore

Settings.llm = MockLLM()
_BETWEEN_BLANKS = r"\S+"


class System:
    def __init__(self, kind: str, questions: list[Question]) -> None:
        self.kind = kind
        Settings.embed_model = MockEmbedding(embed_dim=len(questions[0].floats))

    def build(self, passages: Passages) -> None:
        dim = passages.vectors.shape[1]
        if self.kind == "hnsw":
            index = faiss.IndexHNSWFlat(dim, 32, faiss.METRIC_INNER_PRODUCT)
            index.hnsw.efSearch = 64
        else:
            index = faiss.IndexFlatIP(dim)
        context = StorageContext.from_defaults(vector_store=FaissVectorStore(faiss_index=index))
        nodes = self._nodes(passages)
        self.index = VectorStoreIndex(nodes, storage_context=context)
        self._retrievers(nodes)

    def _nodes(self, passages: Passages) -> list[TextNode]:
        texts = passages.words if self.kind == "hybrid" else passages.texts
        rows = zip(passages.rows, texts, passages.vectors, strict=True)
        return [TextNode(id_=str(row), text=text, embedding=vector.tolist()) for row, text, vector in rows]

    def _retrievers(self, nodes: list[TextNode] | None = None, folder: Path | None = None) -> None:
        self.retriever = self.index.as_retriever(similarity_top_k=TOP)
        if self.kind != "hybrid":
            return
        from llama_index.core.retrievers import QueryFusionRetriever
        from llama_index.retrievers.bm25 import BM25Retriever

        if folder is not None:
            self.bm25 = BM25Retriever.from_persist_dir(str(folder / "bm25"))
        else:
            self.bm25 = BM25Retriever.from_defaults(
                nodes=nodes, similarity_top_k=TOP, token_pattern=_BETWEEN_BLANKS, skip_stemming=True
            )
        # Not among what it saves.
        self.bm25.token_pattern, self.bm25.skip_stemming = _BETWEEN_BLANKS, True
        self.retriever = QueryFusionRetriever(
            [self.retriever, self.bm25],
            similarity_top_k=TOP,
            num_queries=1,
            mode="reciprocal_rerank",
            use_async=False,
        )

    def save(self, folder: Path) -> None:
        self.index.storage_context.persist(str(folder))
        if self.kind == "hybrid":
            self.bm25.persist(str(folder / "bm25"))

    def load(self, folder: Path) -> None:
        store = FaissVectorStore.from_persist_dir(str(folder))
        context = StorageContext.from_defaults(vector_store=store, persist_dir=str(folder))
        self.index = load_index_from_storage(context)
        self._retrievers(folder=folder)

    def search(self, question: Question) -> list[int]:
        text = question.words if self.kind == "hybrid" else question.text
        found = self.retriever.retrieve(QueryBundle(text, embedding=question.floats))
        return [int(x.node.node_id) for x in found]

    def add(self, passages: Passages) -> None:
        self.index.insert_nodes(self._nodes(passages))
        if self.kind == "hybrid":
            self._retrievers(list(self.index.docstore.docs.values()))
