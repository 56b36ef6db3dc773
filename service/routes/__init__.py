"""HTTP routes, one protocol a module."""
