# Every target sets up what it needs in .venv; a second run finds it there.
PYTHON ?= python3
MODEL ?= claude-opus-4-7
BUDGET ?= 800
FUZZ_INPUTS ?= 100000
FUZZ_REQUESTS ?= 20000
TORCH ?= torch
TRANSFORMERS ?= 5.24.0
MINUTES ?= 10
ENGINE_TESTS ?= tests/engines src/pixtrim/engines

VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1
NATIVE := CMakeLists.txt $(wildcard cpp/*.cpp cpp/*.hpp)

.NOTPARALLEL: # the targets share one environment
.DEFAULT_GOAL := help
.PHONY: help demo examples test vision engines engines-here vllm sdks sdks-here demo-gateway soak finetune finetune-here bench-engines bench-engines-here lint format bench evaluate docs fuzz sanitize dist clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.cli ## make the example pictures, shrink one of them and prune another
	$(BIN)/python examples/make_examples.py examples/out
	$(BIN)/pixtrim shrink examples/out/statement.png --model $(MODEL) --budget $(BUDGET) \
		-o demo/ --preview demo/statement-preview.png --overwrite
	@echo 'look at demo/statement-preview.png: before, after, and what was folded'
	$(BIN)/pixtrim prune examples/out/dashboard.png --preview demo/dashboard-tokens.png --overwrite
	@echo 'look at demo/dashboard-tokens.png: the tokens that a model needs, and where the others come from'

examples: $(VENV)/.cli ## make the example pictures
	$(BIN)/python examples/make_examples.py examples/out

test: lint ## lint, types, tests, doctests, and the C++ under sanitizers
	$(BIN)/python -m pytest

vision: $(VENV)/.dev $(VENV)/.vit $(VENV)/.lmms ## the tests that need PyTorch; TORCH=torch==VERSION chooses which
	$(BIN)/python -m pytest tests/test_importance_attention.py tests/test_importance_student.py tests/test_evaluation_encoders.py tests/test_evaluation_vision.py tests/test_evaluation_harnesses.py

# Each version of transformers has an environment of its own, for the engines take only versions that were tested.
engines: ## the tests of the engines, which need PyTorch; TRANSFORMERS=VERSION chooses which transformers, TORCH as for vision
	$(MAKE) engines-here VENV=.venv-transformers-$(TRANSFORMERS)

engines-here: $(VENV)/.engines
	$(BIN)/python -m pytest $(ENGINE_TESTS)

vllm: ## the tests of the vLLM engine, in an environment with vLLM for CPUs, which is made first
	PYTHON=$(PYTHON) tests/serving/environment.sh .venv-vllm
	.venv-vllm/bin/python -m pytest tests/serving src/pixtrim/engines/vllm

sdks: ## the tests of the gateway with the SDKs, LiteLLM, MCP and LangChain, in an environment of their own
	$(MAKE) sdks-here VENV=.venv-sdks

sdks-here: $(VENV)/.sdks
	$(BIN)/python -m pytest tests/sdks

demo-gateway: $(VENV)/.demo-gateway ## start the gateway before an upstream on this machine, and send a page with each SDK
	$(BIN)/python examples/make_examples.py examples/out
	$(BIN)/python examples/gateway_demo.py examples/out/statement.png demo

soak: $(VENV)/.dev ## the gateway under load; MINUTES=10
	$(BIN)/python benchmarks/gateway_soak.py --minutes $(MINUTES) $(SAVE)

finetune: ## train a small model on pruned pictures, beside the same on whole ones
	$(MAKE) finetune-here VENV=.venv-transformers-$(TRANSFORMERS)

finetune-here: $(VENV)/.engines
	$(BIN)/python examples/finetune.py

lint: $(VENV)/.dev ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.dev ## let ruff mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# SAVE=--save writes the figures to benchmarks/results. Word recall ends with 2 where Tesseract or the evaluation data are
# absent, and says so; the other benchmarks stand without it.
bench: $(VENV)/.bench ## the benchmarks; SAVE=--save keeps their figures
	for name in kernels resize fold carve shrink imports encode; do $(BIN)/python benchmarks/$$name.py $(SAVE) || exit; done
	for set in pdf kinds; do $(BIN)/python benchmarks/recall.py --set $$set $(SAVE) || test $$? -eq 2 || exit; done
	for name in filters legibility prune importance saliency carve_quality tile_company; do $(BIN)/python benchmarks/$$name.py $(SAVE) || test $$? -eq 2 || exit; done

bench-engines: ## the benchmark of the transformers engine; on CUDA with whole models, elsewhere with a part of their layers
	$(MAKE) bench-engines-here VENV=.venv-transformers-$(TRANSFORMERS)

bench-engines-here: $(VENV)/.engines
	$(BIN)/python benchmarks/engine.py $(SAVE) || test $$? -eq 2

# Ends with 2 where there are no evaluation data, and says so.
evaluate: $(VENV)/.bench ## what operators cost in answers, on all evaluation data; QUICK=--quick takes a first look
	$(BIN)/python benchmarks/evaluate.py $(QUICK) $(SAVE) || test $$? -eq 2

docs: $(VENV)/.docs ## build the documentation into docs/_build/html
	$(BIN)/sphinx-build --fail-on-warning --keep-going -b html docs docs/_build/html

fuzz: $(VENV)/.dev ## feed mutated inputs to the loader, the command line and the gateway's rewriter
	$(BIN)/python tests/fuzz/fuzz_loader.py --runs $(FUZZ_INPUTS)
	$(BIN)/python tests/fuzz/fuzz_cli.py --runs $(FUZZ_INPUTS)
	$(BIN)/python tests/fuzz/fuzz_rewrite.py --runs $(FUZZ_REQUESTS)

sanitize: $(VENV)/.dev ## the C++ kernels under AddressSanitizer and UndefinedBehaviorSanitizer
	$(BIN)/python -m pytest tests/test_sanitizers.py

dist: $(VENV)/.dist ## build the sdist and a wheel into dist/
	$(BIN)/python -m build

clean: ## remove everything that the targets made
	rm -rf .venv* build dist demo docs/_build examples/out .mypy_cache .pytest_cache .ruff_cache .hypothesis

# An environment with one extra of the package, which is built and linked to this tree. Python sources are read from the
# tree, but new files are not found: a change of the native sources or of pyproject.toml (touch it) builds again.
$(VENV)/.vit $(VENV)/.lmms: BESIDE = '$(TORCH)'
$(VENV)/.engines: BESIDE = '$(TORCH)' 'transformers==$(TRANSFORMERS)'
$(VENV)/.%: pyproject.toml $(NATIVE) | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable '.[$*]' $(BESIDE)
	@touch $@

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "pixtrim needs Python 3.11 or later, not " + sys.version)'
	$(PYTHON) -m venv $(VENV)
