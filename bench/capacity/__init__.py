"""What the system carries: a discrete-event model, fed with measured costs, and its checks."""
