"""Messages between the engine and the plugin: standard library only, Python 3.9."""
