"""Transport and telematics, one file each."""
