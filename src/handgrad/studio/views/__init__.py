"""The views of the page, one module each: what it shows, as data."""
