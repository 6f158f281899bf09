#!/usr/bin/env bash
# Pretrain on the standard library's sources, docstrings and topics; the first word is the time, such as "1 h".
set -euo pipefail
dragoman pretrain "builtin:stdlib-source builtin:stdlib builtin:stdlib-topics" time="${1:-10 min}" \
  'prompts=["def read(self, path):", "Return the"]'
