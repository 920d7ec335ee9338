"""Any sender as simulated senders, one file each."""
