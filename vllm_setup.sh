#!/usr/bin/env bash
# Makes an environment for vLLM, installs vLLM into it, and checks CUDA. Run again, it brings vLLM up to date.
#
#   ./vllm_setup.sh [VERSION]          e.g. ./vllm_setup.sh 0.32.0
#
# Variables: PYTHON (default python3), A2IA_VLLM_VENV (default ~/.cache/a2ia/vllm), where `a2ia-cli vllm start` looks.
set -euo pipefail

python=${PYTHON:-python3}
venv=${A2IA_VLLM_VENV:-${XDG_CACHE_HOME:-$HOME/.cache}/a2ia/vllm}
package=vllm${1:+==$1}

fail() {
  printf 'error: %s\n' "$1" >&2
  exit "${2:-2}"
}

command -v "$python" >/dev/null || fail "There is no $python. Install Python 3.10 or newer, or set PYTHON."
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' || fail "vLLM needs Python 3.10 or newer. Set PYTHON."
[ "$(uname -s)" = Linux ] || fail "vLLM runs on Linux. Use Ollama or the embedded model here."

if ! command -v nvidia-smi >/dev/null || ! nvidia-smi --list-gpus 2>/dev/null | grep -q GPU; then
  fail "There is no NVIDIA GPU here (nvidia-smi lists none), and vLLM needs one. The embedded model needs none: a2ia-cli"
fi
nvidia-smi --query-gpu=name,memory.total,driver_version --format=csv,noheader

echo "Installing $package into $venv (some 10 GB)"
"$python" -m venv "$venv"
"$venv/bin/python" -m pip install --quiet --upgrade pip
"$venv/bin/python" -m pip install --upgrade "$package"

"$venv/bin/python" - <<'PYTHON' || fail "PyTorch sees no CUDA device: is the driver new enough? nvidia-smi shows what it runs." 3
import sys

import torch

print(f"CUDA: {torch.cuda.is_available()}")
sys.exit(not torch.cuda.is_available())
PYTHON
echo "Done. Start a server with ./vllm_start.sh"
