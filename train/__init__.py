"""Training of livecam's age and gender classifier: prepare, explore, fit, compare, export, evaluate."""
