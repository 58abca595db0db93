"""Deploys the application to Azure by the az CLI, step by step, each repeatable."""
