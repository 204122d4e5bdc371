"""Read and write tables of texts, and resume work on them."""
