"""ERP and back office, one file each."""
