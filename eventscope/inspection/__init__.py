"""Looking at events without any user interface: safe text, values, differences, summaries."""
