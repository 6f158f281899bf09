"""The room that turns the record of a run into one self-contained HTML page."""
