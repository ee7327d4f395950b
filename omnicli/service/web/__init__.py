"""`omni serve`: what providers post is on disk before they are answered, and what people click, scan or leave is done."""
