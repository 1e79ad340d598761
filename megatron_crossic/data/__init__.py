"""From documents in two languages to windows on disk, without torch and without megatron.

    dumps ─ wikipedia ─┐
                       ├─► pairs      one `Pair` a JSON line
    given pair records ┘     │    (deduplicate: the same file without near-duplicates, if wanted)
                             ▼
                           sides      tokens of both texts (tokenizer)
                             ▼
                         selection    empty or too unequal pairs: left out, entered in the account
                             ▼
                       modes, chunks  which texts share a chunk; long ones cut together (sentences)
                             ▼
                          windows     which chunks share a window; each exactly seq_length tokens
                             ▼
                          writer      .bin .idx (indexed), .spans (spans), .pairs.jsonl, manifest
                             ▼
                           store      what training opens, checked against the manifest

`pipeline.preprocess` is this list, top to bottom. Each stage is an iterator over the one before
it; whatever a stage leaves out is entered in the `account`, which ends up in the manifest.
"""
