"""Chat models that run in this process, on libraries that read weights."""
