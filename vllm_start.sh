#!/usr/bin/env bash
# Starts vLLM with Mixtral 8x7B, packed with AWQ: a2ia-cli vllm start with these defaults. Options go on to it:
#
#   ./vllm_start.sh --model qwen2.5-7b-awq --max-model-len auto
#   ./vllm_start.sh -- --cpu-offload-gb 15
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cli=$here/.venv/bin/a2ia-cli
[ -x "$cli" ] || cli=$(command -v a2ia-cli || true)
if [ -z "$cli" ]; then
  echo "error: a2ia-cli is not installed. Run: make -C $here install" >&2
  exit 2
fi

for word in "$@"; do
  case $word in
    --) break ;;
    --model | --model=*) exec "$cli" vllm start "$@" ;; # another model has other settings
  esac
done
exec "$cli" vllm start --model mixtral-awq --quantization awq --dtype half --max-model-len 4096 \
  --gpu-memory-utilization 0.90 --enable-chunked-prefill --port 8000 "$@"
