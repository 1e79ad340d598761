"""A look at training runs, also while they run.

run_dir/metrics.jsonl ─┐
                       ├─► curves ─► figure (PNG) ─► page (HTML)
run_dir/validation.jsonl ┘
"""
