"""Near-duplicate pairs and paragraphs, found with MinHash and left out, each under its reason.

    pair files ─► first pass    texts -> shingles -> signatures (sketches)
                      ▼
                    index       which texts share a band of their signatures
                      ▼
    pair files ─► second pass   pair by pair: a duplicate of an earlier kept one? its paragraphs?
                      ▼
                  pair file + manifest (+ log)

The first occurrence wins and order is kept. Nothing but the inputs and the options decides.

Memory is that of the signatures: 220 MB per million pairs while they are read and 345 MB while they
are compared (measured at a threshold of 0.8, the index of kept texts included), and as much per
million paragraphs of the length that is looked at; texts are never held. `build` has the flow.
"""
