"""Fuzzers and other long runs, started by hand: see README.md."""
