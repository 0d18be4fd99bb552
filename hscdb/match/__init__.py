"""match: detections of the same object in several visits become a star, in SQL."""
