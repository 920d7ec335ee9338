"""The composition root: what is configured comes in, running roles come out."""
