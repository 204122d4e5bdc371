"""Jupyter widgets: the views of xlmrxl in a notebook cell. They come with the views themselves; none is here yet."""
