"""A lifecycle for the eye: words for its rules, and a picture of its lanes."""
