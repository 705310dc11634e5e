# What can be done here: make help.

BUILD_PACKAGES := libsqlite3-dev zlib1g-dev libsystemd-dev pkg-config
# Not to be had on every architecture, and not needed: zlib does its work then, more slowly.
FAST_PACKAGES := libisal-dev
# Readers of zips, and parsers of HTTP, that the unit tests compare with.
UNIT_PACKAGES := libarchive-tools p7zip-full python3 python3-h11 python3-httptools unzip xdelta3
TEST_PACKAGES := $(UNIT_PACKAGES) age bindfs borgbackup btrfs-progs buildah chromium chromium-driver curl e2fsprogs haproxy iproute2 lintian man-db mandoc mount nginx procps prometheus rclone restic \
  python3-jsonschema python3-pytest python3-pytest-timeout python3-pytest-xdist python3-selenium python3-venv python3-yaml sqlite3 strace systemd util-linux \
  wget xfsprogs
BENCH_PACKAGES := binutils curl gcc golang-go libsqlite3-dev nginx pigz python3 sqlite3 strace tar unzip valgrind xdelta3 zip
# Measured too, and measured with, where they are to be had.
RIVAL_PACKAGES := python3-zipstream-ng linux-perf
DEMO_PACKAGES := sqlite3
IMAGE_PACKAGES := binutils buildah
PACKAGE_PACKAGES := binutils dpkg-dev python3 xz-utils
# In CI, thirty.
FUZZ_SECONDS ?= 600
# For make reliability; otherwise a minute.
SOAK ?= 3600
# End-to-end tests at once: they wait for half of their time.
AT_ONCE ?= $(shell expr $$(nproc) '*' 2)
PYTHON ?= /usr/bin/python3
SLUICE := .build/release/sluice
VERSION = $(shell sed -n 's/^.*let version = "\(.*\)"/\1/p' $$(find Sources -name Version.swift))

# Where it goes: below DESTDIR, which only packages give.
PREFIX ?= /usr/local
SYSCONFDIR ?= /etc
DESTDIR ?=
UNITS := sluice.service sluice.socket sluice@.service sluice@.socket sluice-pull.service sluice-pull.timer \
  sluice-pull@.service sluice-pull@.timer sluice-pull-failed@.service
DEFAULTS := deploy/sluice.env deploy/pull/sluice-pull.env
# Installed under their own paths, so that the links between them lead somewhere.
DOCUMENTS := README.md CHANGELOG.md SECURITY.md deploy/README.md docs
SCRIPTS = $(shell grep -rlE '^\#!.*[/ ](ba)?sh$$' .ci deploy findings Tests/Integration)

# Looked for when a recipe runs, once setup has had its turn.
TRAITS = $(shell pkg-config --exists libisal && echo --traits ISAL)

# The product carries Swift's own libraries, so that the machine it runs on needs no Swift.
RELEASE = -c release --static-swift-stdlib $(TRAITS)

# Installs what is missing of the packages $(1), asking for root only if anything is. Without dpkg it installs nothing: other
# systems have other names for them, and the build finds out what is missing.
define install
	@command -v dpkg-query >/dev/null || { echo "without dpkg, nothing is installed; Debian's names: $(strip $(1))"; exit 0; }; \
	missing=; for package in $(1); do \
	  dpkg-query -W -f '$${Status}' $$package 2>/dev/null | grep -q '^install ok installed' \
	    || missing="$$missing $$package"; \
	done; \
	if [ -n "$$missing" ]; then \
	  command -v apt-get >/dev/null || { echo "install these packages first:$$missing" >&2; exit 1; }; \
	  sudo=; [ "$$(id -u)" = 0 ] || sudo=sudo; \
	  echo "installing:$$missing"; \
	  $$sudo apt-get update -qq && $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $$missing; \
	fi
endef

.PHONY: help setup build run test unit integration dev packages screenshots instrumented reliability test-asan test-tsan sanitized fuzz bench bench-against bench-check install uninstall deb image release lint format clean

help: ## List the targets.
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

setup: ## Install the system packages that a build needs, if they are missing.
	$(call install,$(BUILD_PACKAGES))
	-$(call install,$(FAST_PACKAGES))

build: setup ## Build .build/release/sluice.
	swift build $(RELEASE) --product sluice

run: build ## Serve DATA=DIR, or a small demo directory with live writers.
	$(if $(DATA),,$(call install,$(DEMO_PACKAGES)))
	@DATA="$(DATA)" exec deploy/demo $(SLUICE) $(OPTIONS)

test: unit integration ## Install what the tests need and run every test.

packages: setup # All that the tests need.
	$(call install,$(TEST_PACKAGES) $(if $(shell command -v java),,default-jdk-headless))

# Java reads the archives too where it is installed; with CI=true, it must.
unit: instrumented # Swift's tests; with SANITIZE=address or thread, under that sanitizer.
	$(call install,$(UNIT_PACKAGES))
	$(SANITIZER_OPTIONS) swift test --skip-build $(SANITIZED) $(SKIPPED) $(TRAITS)

PYTEST = $(PYTHON) -m pytest -q -n $(AT_ONCE) --dist loadgroup

integration: build packages # End to end, against the real program.
	SLUICE=$(SLUICE) $(PYTEST) Tests/Integration

# A folder of Tests/Integration, a file there, or an expression for pytest's -k.
CHOSEN = Tests/Integration $(if $(T),-k '$(T)')
ifeq ($(words $(T)),1)
CHOSEN := $(or $(firstword $(wildcard Tests/Integration/$(T) Tests/Integration/*/$(T) Tests/Integration/*/test_$(T).py)),$(CHOSEN))
endif

# The debug program is larger and slower than what is released: it is not asked what it costs.
dev: packages ## Run chosen end-to-end tests on the debug program: T=resume, T=test_keep.py, T='nginx and not curl'.
	swift build --product sluice $(TRAITS)
	SLUICE=.build/debug/sluice COSTS=any $(PYTEST) $(CHOSEN)

screenshots: build ## Take the picture of the page for the documents: docs/page.png.
	$(call install,chromium chromium-driver python3-selenium)
	SLUICE=$(SLUICE) $(PYTHON) Tests/Integration/support/screenshots.py

reliability: build packages ## Run every test, the long ones too: 1.5 hours. Writes .build/reliability.md. SOAK=3600.
	rm -f .build/parts*.xml .build/whole.xml
	-swift test $(TRAITS) --xunit-output .build/parts.xml
	-SLUICE=$(SLUICE) RUN_SLOW=1 SOAK=$(SOAK) $(PYTEST) -o junit_family=xunit1 --junit-xml .build/whole.xml Tests/Integration
	$(PYTHON) Tests/reliability.py .build/reliability.md .build/parts-swift-testing.xml .build/whole.xml

test-asan: ## Run the tests under AddressSanitizer and LeakSanitizer.
	$(MAKE) unit sanitized SANITIZE=address

test-tsan: ## Run the tests under ThreadSanitizer.
	$(MAKE) unit sanitized SANITIZE=thread

# Of the end-to-end tests the sanitizers run those of the routes and the commands. ThreadSanitizer runs what has threads, once:
# not `verify` and `restore`, but for the check that is abandoned at its time limit, nor what is about the data in an archive or
# about names that other processes change, which the same threads read as in the other tests.
# An instrumented program has another size and pace: it is not asked what it costs. Under a limit on the size of files, by
# which a full disk is tested, ThreadSanitizer itself dies, and the 8 MB of names that a backup refuses cost it two minutes.
# ThreadSanitizer has no false alarms here; what LeakSanitizer reports that is not ours stands in Tests/Sanitizers, with the reason.
UNSUITED = not full_disk$(if $(filter thread,$(SANITIZE)), and not verify_would_refuse)
THREADED_TESTS := $(addprefix Tests/Integration/,backup/test_bad_input.py backup/test_cli_backup.py backup/test_consistency.py \
  backup/test_limits.py backup/test_output_file.py http/test_drain.py http/test_http.py http/test_metrics.py http/test_service.py \
  http/test_slow_and_many.py http/test_smuggling.py http/test_tokens.py http/test_unchanged.py http/test_vanishing.py \
  resume/test_resume.py verify/test_check_limits.py)
SANITIZED_TESTS = $(THREADED_TESTS) $(if $(filter address,$(SANITIZE)),$(addprefix Tests/Integration/,backup/test_archive.py \
  backup/test_neighbours.py backup/test_races.py restore/test_restore.py verify/test_verify.py))
# BoringSSL, all of the C that is built, is for others to sanitize: its compilation is a quarter of the build. AddressSanitizer has an
# optimized program, the code that is released, which is three times as fast. ThreadSanitizer has not: where optimized code resumes
# a continuation on another thread it may miss that Swift's runtime, which it does not see into, has put the two in order.
SANITIZED = $(if $(SANITIZE),--sanitize $(SANITIZE) --scratch-path .build-$(SANITIZE) \
  $(addprefix -Xcc -,O0 g0 fno-sanitize=all) $(OPTIMIZED))
OPTIMIZED = $(if $(filter address,$(SANITIZE)),-c release -Xswiftc -enable-testing -Xswiftc -gline-tables-only)
# ThreadSanitizer can only make slow what one thread does: the codecs, the tiers and the plan of a restore; and what races for
# pages with other processes.
ONE_THREAD_TESTS := ZipTests|DeltaTests|RetentionTests|RetentionNightsTests|RestorePlanTests|SnapshotStressTests|page by page
SKIPPED = $(if $(filter thread,$(SANITIZE)),--skip '$(ONE_THREAD_TESTS)')
SANITIZER_OPTIONS = ASAN_OPTIONS=exitcode=99 LSAN_OPTIONS=suppressions=$(CURDIR)/Tests/Sanitizers/leak.supp \
  TSAN_OPTIONS="exitcode=99 atexit_sleep_ms=0"

# One command for both: an optimized build by another one, of the product alone or by `swift test`, compiles every module again.
instrumented: setup # What unit and sanitized run, with SANITIZE in it.
	swift build --build-tests $(SANITIZED) $(TRAITS)

sanitized: instrumented packages # End to end, against a program with SANITIZE in it.
	$(SANITIZER_OPTIONS) SLUICE=.build-$(SANITIZE)/$(if $(OPTIMIZED),release,debug)/sluice COSTS=any CONSISTENCY_BACKUPS=20 \
	  $(PYTEST) -k '$(UNSUITED)' $(SANITIZED_TESTS)

# SwiftPM does not know of it: its flags must not reach anyone's build. New finds are kept in .build/fuzz/corpus.
fuzz: .build/fuzz/request-parser ## Attack the request parser for FUZZ_SECONDS=600.
	mkdir -p .build/fuzz/corpus
	SWIFT_BACKTRACE=enable=no $< -max_total_time=$(FUZZ_SECONDS) -max_len=20000 -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 -verbosity=1 \
	  -dict=Tests/Fuzz/request.dict -artifact_prefix=.build/fuzz/ .build/fuzz/corpus Tests/Fuzz/corpus

.build/fuzz/request-parser: Tests/Fuzz/RequestParserFuzz.swift $(wildcard Sources/HTTP1/*.swift)
	mkdir -p $(@D)
	swiftc -O -swift-version 6 -package-name sluice -warnings-as-errors -parse-as-library -sanitize=fuzzer -o $@ $< \
	  $$(grep -LE 'import (EventLoop|System)' Sources/HTTP1/*.swift)

bench: build ## Measure beside other methods: Tests/Benchmarks/RESULTS.md. BENCH=full: 2 GB as well.
	$(call install,$(BENCH_PACKAGES))
	-$(call install,$(RIVAL_PACKAGES))
	SLUICE=$(SLUICE) $(PYTHON) Tests/Benchmarks/bench.py $(if $(filter full,$(BENCH)),--mebibytes 256 2048)

bench-against: build ## Measure beside another build of the program, turn by turn: BASELINE=PATH.
	$(call install,$(BENCH_PACKAGES))
	$(PYTHON) Tests/Benchmarks/against.py $(BASELINE) $(SLUICE)
	$(PYTHON) Tests/Benchmarks/copying.py $(BASELINE) $(SLUICE)
	$(PYTHON) Tests/Benchmarks/thousands.py $(SLUICE)

bench-check: build ## Compare instructions, system calls and memory with Tests/Benchmarks/counts.json.
	$(call install,$(BENCH_PACKAGES))
	SLUICE=$(SLUICE) $(PYTHON) Tests/Benchmarks/counts.py

# Half of the program are symbols for a debugger. What an administrator has written in SYSCONFDIR stays.
install: ## Install what was built below PREFIX=/usr/local: program, units, manual, completions.
	@test -x $(SLUICE) || { echo "build it first: make build" >&2; exit 1; }
	umask 022; install -d $(addprefix $(DESTDIR)$(PREFIX)/,bin lib/systemd/system share/man/man1 share/doc/sluice \
	  share/bash-completion/completions share/zsh/vendor-completions share/fish/vendor_completions.d) \
	  $(DESTDIR)$(SYSCONFDIR)/default
	install -m 755 $(SLUICE) $(DESTDIR)$(PREFIX)/bin/sluice
	strip $(DESTDIR)$(PREFIX)/bin/sluice
	umask 022; for unit in $(UNITS); do \
	  case $$unit in *@*) instance='s|/sluice[.]sock$$|/%i.sock|; s|=/etc/default/%N$$|=/etc/sluice/pull.d/%i|; s|=30min$$|=3h|' ;; *) instance= ;; esac; \
	  source=$$(ls deploy/*/$$unit 2>/dev/null || ls deploy/*/$$(echo $$unit | tr -d @)); \
	  sed -e 's|=\(-\?\)/usr/bin/sluice|=\1$(PREFIX)/bin/sluice|' -e "$$instance" $$source \
	    >$(DESTDIR)$(PREFIX)/lib/systemd/system/$$unit || exit; done
	for file in $(DEFAULTS); do target=$(DESTDIR)$(SYSCONFDIR)/default/$$(basename $$file .env); \
	  test -e $$target || install -m 644 $$file $$target; done
	umask 022; deploy/man/generate $(SLUICE) | gzip -9n >$(DESTDIR)$(PREFIX)/share/man/man1/sluice.1.gz
	umask 022; $(SLUICE) --generate-completion-script bash | sed '1{/^#!/d}' \
	  >$(DESTDIR)$(PREFIX)/share/bash-completion/completions/sluice
	umask 022; $(SLUICE) --generate-completion-script zsh >$(DESTDIR)$(PREFIX)/share/zsh/vendor-completions/_sluice
	umask 022; $(SLUICE) --generate-completion-script fish >$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/sluice.fish
	install -m 644 deploy/nginx/sluice.conf $(DESTDIR)$(PREFIX)/share/doc/sluice
	umask 022; install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/doc/sluice/deploy/prometheus deploy/prometheus/sluice.yml
	umask 022; install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/doc/sluice/deploy/container deploy/container/compose.yaml deploy/container/kubernetes.yaml
	umask 022; install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/doc/sluice/deploy/grafana deploy/grafana/sluice.json
	umask 022; install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/doc/sluice/docs docs/status.schema.json docs/page.png
	umask 022; find $(DOCUMENTS) -name '*.md' -exec install -D -m 644 {} $(DESTDIR)$(PREFIX)/share/doc/sluice/{} ';'

uninstall: ## Remove what install put there; SYSCONFDIR/default stays if it was changed.
	for file in $(DEFAULTS); do target=$(DESTDIR)$(SYSCONFDIR)/default/$$(basename $$file .env); \
	  ! cmp -s $$file $$target || rm $$target; done
	rm -f $(addprefix $(DESTDIR)$(PREFIX)/,bin/sluice $(addprefix lib/systemd/system/,$(UNITS)) \
	  share/man/man1/sluice.1.gz share/bash-completion/completions/sluice share/zsh/vendor-completions/_sluice \
	  share/fish/vendor_completions.d/sluice.fish)
	rm -rf $(DESTDIR)$(PREFIX)/share/doc/sluice

deb: build ## Build a Debian package, .build/sluice_VERSION_ARCH.deb.
	$(call install,$(PACKAGE_PACKAGES))
	VERSION=$(VERSION) deploy/debian/build .build

image: build ## Build a container image with buildah, localhost/sluice:VERSION.
	$(call install,$(IMAGE_PACKAGES))
	VERSION=$(VERSION) SLUICE=$(SLUICE) deploy/container/build

release: build ## Build the package and a tarball, with checksums, in .build/release-VERSION; attach reliability.md.
	$(call install,$(PACKAGE_PACKAGES))
	VERSION=$(VERSION) SLUICE=$(SLUICE) deploy/release

LIBRARIES = $(addprefix Sources/,Archive Delta EventLoop HTTP1 Pull Restore SQLiteSnapshot System Systemd Zip)

lint: ## Check the code's layout, where it is unsafe, and the shell scripts.
	$(call install,shellcheck)
	swift format lint --strict --recursive --parallel Package.swift Sources Tests
	shellcheck $(SCRIPTS)
	# Where a library touches pointers: docs/how-it-works.md, "Rules that the compiler does not check".
	grep -rlE --include='*.swift' '^[^/"]*\bunsafe [^"]' $(LIBRARIES) | LC_ALL=C sort | diff Sources/unsafe-files -

format: ## Lay the code out.
	swift format --in-place --recursive --parallel Package.swift Sources Tests

clean: ## Remove what was built.
	rm -rf .build
