"""Layers whose weights are held in 8 or 4 bits, or in 16 bits that the processor cannot multiply."""
