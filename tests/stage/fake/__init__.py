"""Small stages that stand in for the pipeline's own when the machinery is tested."""
