"""Tables, pictures and published figures."""
