"""Programs that send the same messages in their own ways; each takes a job and prints a result."""
