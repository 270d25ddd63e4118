"""Training of the age and gender network: prepare, explore, fit, compare, export, evaluate."""
