"""Looking inside a model: what one run of it shows of attention, hidden states, heads and languages."""
