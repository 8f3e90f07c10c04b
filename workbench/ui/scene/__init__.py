"""The environment itself, live on the page: training's own lanes, and lanes that the present policy plays."""
