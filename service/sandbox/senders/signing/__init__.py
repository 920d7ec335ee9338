"""How simulated senders prove themselves: the schemes of the intake, from the sender's end."""
