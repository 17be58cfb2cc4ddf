"""The uploads that imports have opened at the target."""
