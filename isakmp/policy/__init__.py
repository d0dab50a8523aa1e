"""What may be negotiated, with whom, for which traffic: the policy model and its readers."""
