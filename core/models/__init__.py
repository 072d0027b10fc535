"""Models: what there is (`catalogue`), where weights lie (`weights`, `fetch`), the one interface (`encoder`), who lends
them (`manager`). Read `catalogue.py` first. Importing this package costs no torch."""
