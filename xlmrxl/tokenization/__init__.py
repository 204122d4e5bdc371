"""Turn text into ids and back, with the interface of transformers' tokenizers."""
