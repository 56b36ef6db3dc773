"""Tests mirror the tree; `contracts/` holds one suite a protocol."""
