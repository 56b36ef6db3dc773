"""Reports in, passages out: documents, their structure, their sentences and their citations."""
