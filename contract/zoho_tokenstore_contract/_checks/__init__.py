"""The checks, a folder for each family of clauses."""
