"""What goes in clear past isakmpd, counted on the wire: ``make leak``."""
