"""The whole base lives N virtual days through the real door, engine and guards; what people answer is drawn from a model by hashes."""
