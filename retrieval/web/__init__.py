"""Text from the web: engines that find pages, a guarded way to fetch them, and their passages."""
