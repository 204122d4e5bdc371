"""The attention explorer: one ES module for notebook and browser, and what answers its requests."""
