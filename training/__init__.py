"""How the embedded default checkpoint is made. Run as modules from the repository root; not installed."""
