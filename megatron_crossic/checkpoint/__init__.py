"""Checkpoints: folders that are complete or not there.

    ROOT/
      latest                 names the newest complete step folder
      step_0000020/
        *.distcp .metadata   megatron-core's distributed checkpoint; loads at any TP/PP/DP
        common.pt            what is the same on every rank
        checkpoint.json      manifest: step, tokens, architecture
        config.yaml          the resolved configuration of the run
        hf/                  what the way back to Hugging Face needs: config, tokenizer files

`folder` knows this layout, `state` describes a training run to megatron-core and loads it, `saving`
saves it, at once or beside the next steps, `stream` reads and writes single tensors for conversion.
"""
