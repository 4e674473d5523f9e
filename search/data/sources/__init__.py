"""Where images come from: packages, arrays, folders, TFRecords; written, checked, opened."""
