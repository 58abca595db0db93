"""A stand-in for Azure Resource Manager and what the az CLI meets beside it."""
