"""The flow drawn: as a picture of our own, as Mermaid and dot text, as a tree; with counts of people where somebody has lived it."""
