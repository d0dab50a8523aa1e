"""isakmpd: a key-exchange daemon for IPsec on an exchange-script engine."""
