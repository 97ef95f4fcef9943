// The library keeps its default settings: it asks the host that it was shipped with.
