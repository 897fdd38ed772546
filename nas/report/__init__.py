"""What a search leaves to read: tables, closing lines, and the page; `python -m nas.report RUN` makes the page anew."""
