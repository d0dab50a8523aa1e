"""What walks the scripts of exchanges, whatever protocol wrote them."""
