"""A look at a pair file: what was kept, what it is like, and some of its pairs side by side.

    pair file (read once, block by block) ──┬─► statistics   sums and histograms of all pairs
                                            │    (log_histogram, scripts)
                                            ├─► sample       some pairs by chance, shortened
                                            └─► identify     some texts by chance -> languages
    manifest beside it ─► account (what was kept and left out, and why)
                              │
                              ├─► charts ─► figure    PNG
                              └─► page (tables)       one HTML file, no script

`report` goes from the file to all of this. Nothing but one number a text (to find repeated ones)
grows with the file.
"""
