"""From documents in two languages to windows on disk, without torch and without megatron.

    dumps ─ wikipedia ─┐
                       ├─► pairs      one `Pair` a record (join: several targets; deduplicate)
    given pair records ┘     │
                             ▼
                          inputs      files as blocks, blocks as segments: what a worker gets
                             ▼
                           sides      tokens of all texts of a block (bulk, tokenizer)
                             ▼
                         selection    empty or too unequal pairs: left out, entered in the account
                             ▼
                      modes, cutting  which texts share chunks, and where they may be cut (chunks,
                             │        sentences): pieces, as arrays (batch)
                             ▼
                          packing     all pieces of a segment: which make a chunk, which a window
                             ▼
                          windows     each exactly seq_length tokens, with its spans
                             ▼
                          writer      .bin .idx (indexed), .spans, .pairs.jsonl, manifest; journal
                             ▼
                           store      what training opens; verify, merge, ablation read it too

`worker` goes from inputs to pieces, in processes of its own (`workers`); `run` makes windows of
what they hand over and writes; `pipeline.preprocess` starts and ends it. Whatever a stage leaves
out is entered in the `account`, which ends up in the manifest.
"""
