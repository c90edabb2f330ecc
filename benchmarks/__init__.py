"""What docpipe is measured with: `python -m benchmarks.<name> --corpus DIR` prints Markdown tables."""
