"""What the contract promises: clauses, tokens, the reference model, outcomes."""
