"""Find, read and write the files of a checkpoint; nothing here knows the model."""
