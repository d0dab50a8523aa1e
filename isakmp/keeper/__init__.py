"""What becomes of SAs, and what should be up."""
