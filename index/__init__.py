"""Encoders, the dense and the lexical index, and the one Retriever that users call."""
