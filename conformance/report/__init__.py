"""Results of a run: the result model, the result file, comparisons, the terminal report and the HTML page."""
