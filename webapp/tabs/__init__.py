"""One file per tab, each with `build(services)`, called inside its own `gr.Tab`. Tabs never import tabs."""
