"""Back offices as simulated senders, one file each."""
