"""CRMs as simulated senders, one file each."""
