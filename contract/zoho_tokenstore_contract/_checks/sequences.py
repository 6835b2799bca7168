"""MODEL: any sequence of calls, side by side with the reference model."""
