"""Training: settings, losses and the loop."""
