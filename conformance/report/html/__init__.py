"""The HTML page of results: its data, collected in Python, and its template, style and script."""
