"""What builds isakmpd: its manual pages, the completion of shells, the hooks that pip calls."""
