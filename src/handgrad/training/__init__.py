"""Training: config, schedule, loop, run folder, history, picture."""
