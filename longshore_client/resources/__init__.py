"""The resources besides images and imports: their dataclasses, and the client's methods for them."""
