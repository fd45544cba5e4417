"""How fast the monitor is, measured beside its peers on traffic that is made for it."""
