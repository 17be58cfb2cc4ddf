"""Everything that runs Longshore: containers, charts, and the local stack."""
