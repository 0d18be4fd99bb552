"""The machinery: settings, selections, runs, tasks, products, workers."""
