"""One page over what the checker, `derive` and training know: the server, the views' data, and the page itself."""
