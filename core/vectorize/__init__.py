"""Images → vectors. Read `pipeline` first; `ensemble` joins members, `store` keeps tables, `resume` survives a kill,
`search` asks them, `report` tells a person. Only `pipeline` needs torch, and only while it runs.
"""
