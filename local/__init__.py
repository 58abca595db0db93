"""What developers run: the host, the stand-ins, the demo. Nothing here is shipped."""
