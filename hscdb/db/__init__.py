"""The only door to the database: server, engine, schema, queries, bulk copy."""
