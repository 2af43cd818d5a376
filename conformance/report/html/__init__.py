"""What a page of results shows, put together in Python, and the templates, style and script that show it."""
