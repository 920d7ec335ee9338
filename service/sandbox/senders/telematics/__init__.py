"""Transport and telematics as simulated senders, one file each."""
