"""The ranges of stored integers: PostgreSQL's `integer` and `bigint`. Larger ones are refused where they come in."""

MAX_INT32 = 2**31 - 1
MAX_INT64 = 2**63 - 1
