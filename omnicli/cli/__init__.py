"""The command line: one file a noun, one error boundary (`main`), one way to show (`frame`)."""
