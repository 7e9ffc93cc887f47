"""The rules on rows: what is read, locked, decided and written in one transaction."""
