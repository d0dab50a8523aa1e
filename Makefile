# The verbs of isakmpd. Each sets up what it needs in .venv first; nothing is installed twice.
PY = .venv/bin/python
SEEDS = 200
SECONDS = 60
ARGS =
PROTOCOL = ikev2
# Hundreds of daemons are started, and none is to compile the code anew: empty, Python keeps it.
export PYTHONDONTWRITEBYTECODE =
.PHONY: demo test check bench interop kernel leak sim fuzz nightly clean

demo:    ; @tools/setup-venv run && $(PY) -m regress.demo --protocol $(PROTOCOL) $(ARGS)
test:    ; @tools/setup-venv test && tools/setup-peers && $(PY) -m pytest -n auto --dist loadgroup --no-loadscope-reorder $(ARGS)
check:   ; @tools/setup-venv test && tools/check $(PY)
bench:   ; @tools/setup-venv run && $(PY) -m regress.bench $(ARGS)
interop: ; @tools/setup-venv run && tools/setup-peers && $(PY) -m regress.interop $(ARGS)
leak:    ; @tools/setup-venv run && $(PY) -m regress.leak $(ARGS)
kernel:  ; @tools/setup-venv run && tools/setup-peers && $(PY) -m regress.kernel $(ARGS)
sim:     ; @tools/setup-venv run && $(PY) -m regress.sim --seeds $(SEEDS) $(ARGS) && $(PY) -m regress.sim --collisions
fuzz:    ; @tools/setup-venv test && for t in message capture; do $(PY) -m regress.fuzz.fuzz_$$t -max_total_time=$(SECONDS) $(ARGS) || exit 1; done
nightly: ; @$(MAKE) check && $(MAKE) test && $(MAKE) sim SEEDS=5000 && $(MAKE) fuzz SECONDS=3600
clean:   ; rm -rf build .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
