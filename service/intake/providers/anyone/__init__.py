"""Any sender, one file each."""
