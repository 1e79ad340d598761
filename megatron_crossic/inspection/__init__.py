"""A look at the windows of a data set: what a model will read, and where it came from.

    store (data) + tokenizer (opening)
              │
              ├─► view         one window as labelled segments of text; every text made safe (marks)
              ├─► statistics   counts over all windows, from the spans alone
              └─► account      what the manifest says
                     │
                     ├─► terminal           for a screen or a pipe
                     └─► page (charts)      one HTML file without outside resources

Texts, titles, ids and URLs are untrusted. They pass `marks.visible` once, where they enter (`view`,
`account`); after that nothing in them can steer a terminal or reorder a page.
"""
