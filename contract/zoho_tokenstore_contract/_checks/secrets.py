"""SECRET: secrets stay secret."""
