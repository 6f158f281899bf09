#!/usr/bin/env bash
# Pretrain a small character model on tinyshakespeare; the first word is the file.
set -euo pipefail
dragoman pretrain "${1:?name the text: run.sh input.txt}" tokenizer=characters size=800K corpus.held_out=0.1 \
  corpus.quality.preset=none train.max_length=64 train.batch=16 train.steps=300 'prompts=["ROMEO:"]'
