"""The assistant and its doors: command line and HTTP."""
