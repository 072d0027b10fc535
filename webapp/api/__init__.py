"""The HTTP API, one file per endpoint, for `gradio_client`: the same functions as the page's, without the page."""
