"""Images → vectors. Read `pipeline` first, then `job`; `ensemble` joins members, `store` keeps tables (in one of
`formats`), `resume` survives a kill, `search` asks tables, `comparable` says which may be asked today, `report` tells a
person. Only a running job needs torch.
"""
