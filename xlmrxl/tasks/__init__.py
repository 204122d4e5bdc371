"""Text in, a frozen result out: one module a task."""
