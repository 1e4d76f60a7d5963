"""cloudfs mounts cloud storage as a real file system whose files are plain files in your cloud."""

__version__ = "0.1.0"
