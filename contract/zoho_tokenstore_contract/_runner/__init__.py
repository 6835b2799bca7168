"""From a target to the outcomes of its clauses."""
