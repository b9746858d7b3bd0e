"""From source to a program in single assignment: every value has one name, and every call one meaning."""
