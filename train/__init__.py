"""Training of livecam's age and gender classifier: prepare, fit, evaluate, export."""
