"""Reads plain, flat Bicep and makes ARM templates of it, for machines without the compiler."""
