"""The configuration: triplets, their tags and values, the checker, what a change means."""
