"""What the checker is called by: functions, notebook cells, and the repair of a file."""
