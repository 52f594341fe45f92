"""CziReader and what it composes planes from."""
