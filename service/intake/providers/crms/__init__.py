"""CRMs as senders, one file each."""
