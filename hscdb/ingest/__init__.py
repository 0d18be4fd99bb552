"""Stage ingest: raw frames, reference catalogs and catalogs made elsewhere into the registry."""
