"""The model, with the names, arguments and outputs of transformers 4.37.2."""
