"""Evaluation of retrieval. Import from its modules: the bare name `eval` is a Python builtin."""
