"""The store in the kit's hands: opened, called, recorded, watched."""
