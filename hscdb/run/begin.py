"""Imported first by the process that workers are forked from: nothing that it imports is garbage, and looking for some
takes a tenth of the time (ready.py, imported last, begins to look again)."""

import gc

gc.disable()
