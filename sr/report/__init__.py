"""Pages and figures; the only importer of plotly."""
