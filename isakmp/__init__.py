"""isakmpd: a key-exchange daemon for IPsec on an exchange-script engine."""

__version__ = "0.1.0"
