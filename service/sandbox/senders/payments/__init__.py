"""Payment systems as simulated senders, one file each."""
