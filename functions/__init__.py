"""HTTP, queue and timer triggers: translate in, call the product, translate out."""
