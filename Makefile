# invlog. `make help` says what there is. Everything built goes under build/.

SANITIZE ?=
# V=1 shows whole commands.
V        ?=
say      = $(if $(V),,@echo "  $(1)  $@";)
CXX      ?= g++
comma    := ,
VARIANT  := $(if $(SANITIZE),$(subst $(comma),-,$(SANITIZE))$(if $(OPTIMIZED),-optimized),release)
# The release build's products are build/invlog and build/invlog_sqlite.so; a sanitized build has a folder of its own.
OUT      := $(if $(SANITIZE),build/$(VARIANT),build)
OBJ      := build/obj/$(VARIANT)

# The first of these that is here: what tests/install-dependencies takes, of Debian 12 and of Debian 13.
installed = $(firstword $(foreach each,$(1),$(if $(wildcard /usr/bin/$(each)),$(each))) $(1))
# clang compiles what the sanitizers check in half of g++'s time, and what it makes for address serves the fuzzers, too.
CLANG        ?= $(call installed,clang++-16 clang++-17)
CLANG_TIDY   ?= $(call installed,clang-tidy-14 clang-tidy-17)
# These two agree on every line here; from 18 on it breaks some lines elsewhere, so no other version judges or rewrites.
CLANG_FORMAT ?= $(call installed,clang-format-14 clang-format-17)
ifneq ($(SANITIZE),)
CXX      := $(CLANG)
endif
FUZZABLE := $(filter address,$(subst $(comma), ,$(SANITIZE)))
OPTIMIZE := $(if $(SANITIZE),$(if $(OPTIMIZED),-O1,-O0) -fno-omit-frame-pointer,-O2)
# Enough for a sanitizer's stack traces; the rest costs a tenth of the build.
# Following each variable through optimized code costs another tenth; lines, types and stack traces are there without.
DEBUG    := $(if $(SANITIZE),-g1,-g -fno-var-tracking-assignments)
HARDEN   := -fstack-protector-strong -fPIE $(if $(SANITIZE),,-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
# simdjson lays its classes out by SIMDJSON_DEVELOPMENT_CHECKS, and that by -O, if nobody says: parts with and without -O would
# not fit together.
CPPFLAGS += -I. -MMD -MP -DBOOST_ASIO_NO_DEPRECATED -DSPDLOG_COMPILED_LIB -DSPDLOG_FMT_EXTERNAL -DSIMDJSON_DEVELOPMENT_CHECKS=0 \
            $(if $(SANITIZE),-DINVLOG_SANITIZED)
CXXFLAGS += -std=c++20 $(OPTIMIZE) $(DEBUG) -Wall -Wextra -Wpedantic $(if $(WERROR)$(CI),-Werror) $(HARDEN) -pthread \
            $(if $(SANITIZE),-fsanitize=$(SANITIZE)$(if $(FUZZABLE),$(comma)fuzzer-no-link) $(if $(findstring undefined,$(SANITIZE)),-fno-sanitize-recover=undefined))
# Others' headers (Boost, the C++ library) are most of what `undefined` would look at, and a quarter of the build. Only `make fuzz`
# has it do so; `address` looks at them everywhere.
CXXFLAGS += $(if $(findstring undefined,$(SANITIZE)),$(if $(OPTIMIZED),,-fsanitize-ignorelist=tests/sanitize-ignore))
# Where one of two sanitizers runs, char has no sign, as on ARM.
CXXFLAGS += $(if $(findstring thread,$(SANITIZE)),-funsigned-char)
LDFLAGS  += -pie -Wl,-z,relro,-z,now -pthread $(if $(SANITIZE),-fsanitize=$(SANITIZE))

# So many sources go through one run of the compiler, which reads headers and instantiates templates once for all of them: a whole
# build takes less than half the time of eight. It takes 1.4 GB then, 0.9 GB with eight. UNITY=1 compiles each by itself.
ifndef UNITY
UNITY   := $(shell awk -v cores="$$(nproc)" '/^MemTotal:/ { print ($$2 / cores < 2000000) ? 8 : 32 }' /proc/meminfo)
endif
# Two builds that go on at once (tests/check) must not write each other's groups.
UNITIES := build/unity-$(UNITY)

# Tests are compiled once and run once, so they are not optimized. What they test is, as it is shipped.
TEST_OBJECTS := $(foreach at,$(OBJ) $(OBJ)/$(UNITIES),$(addprefix $(at)/tests/,unit/% integration%)) $(addprefix $(OBJ)/tests/,test_main.o precompiled.h.gch)
$(TEST_OBJECTS): OPTIMIZE := -O0 -fno-omit-frame-pointer
$(TEST_OBJECTS): DEBUG    := -g1
# Those that do most of their work themselves are, a little; so is the store where everything else is not at all. (A sanitizer
# makes that take longer for the store's tests than they run.)
$(foreach at,$(OBJ) $(OBJ)/$(UNITIES),$(addprefix $(at)/tests/unit/,$(if $(SANITIZE),,storage%) exporters/model%)): OPTIMIZE := -O1 -fno-omit-frame-pointer
ifneq ($(SANITIZE),)
$(OBJ)/storage/% $(OBJ)/$(UNITIES)/storage%: OPTIMIZE := -O1 -fno-omit-frame-pointer
endif

STORAGE_LIBS   := -lsqlite3 -lzstd -lxxhash -lcrypto -lsimdjson
EXPORTERS_LIBS := -lpugixml -ldeflate -lzstd -lsimdjson -lxxhash -lspdlog -lfmt -lcrypto
AGENT_LIBS     := -lnghttp2 -lssl -lcrypto -lspdlog -lfmt -lsystemd -lz -lbrotlidec -lsimdjson -lre2 -lprometheus-cpp-core

# What compiles nothing writes no build/ either: as root's (`sudo make deps`) it would be in the way of the next `make all`.
COMPILES := $(filter-out help deps uninstall clean,$(or $(MAKECMDGOALS),help))
# Headers of the kernel do not get along with those of the C library.
ALONE   := agent/capture/tcp_progress.cpp
sources = $(sort $(shell find $(1) -name '*.cpp'))
objects = $(patsubst %.cpp,$(OBJ)/%.o,$(1))
# What to compile for a folder (1) of these sources (2).
units   = $(filter $(ALONE),$(2)) $(if $(filter 1,$(UNITY))$(if $(COMPILES),,1),$(filter-out $(ALONE),$(2)),$(shell tests/unity-groups $(UNITIES)/$(1) $(UNITY) $(filter-out $(ALONE),$(2))))

STORAGE_UNITS   := $(call units,storage,$(filter-out storage/extension.cpp,$(call sources,storage)))
EXPORTERS_UNITS := $(call units,exporters,$(call sources,exporters))
AGENT_UNITS     := $(call units,agent,$(filter-out agent/main.cpp,$(call sources,agent)))

# Headers that most sources read are compiled once, not for UNITY=1, which shows what a source fails to include.
ifneq ($(UNITY),1)
PRECOMPILED      := $(OBJ)/precompiled.h.gch
PRECOMPILED_TEST := $(OBJ)/tests/precompiled.h.gch
# The headers themselves are looked at, too (-MD): no compiler minds that they have changed.
$(PRECOMPILED): agent/precompiled.h
$(PRECOMPILED_TEST): tests/precompiled.h
$(PRECOMPILED) $(PRECOMPILED_TEST):
	@mkdir -p $(@D)
	$(call say,compile)$(CXX) $(patsubst -MMD,-MD,$(CPPFLAGS)) $(CXXFLAGS) $(if $(SANITIZE),-fpch-instantiate-templates) -x c++-header -o $@ $<
# What makes these objects (1) with that header (2).
define with_precompiled
$(1): private CPPFLAGS += -include $(2:.gch=)
$(1): $(2)
endef
endif

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help deps all demo test check bench fuzz install uninstall deb clean format tidy

help: ## this text
	@echo "invlog: invocation logging for Amazon Bedrock. Targets:"
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 14
	@echo "Variables: SANITIZE=address|thread|undefined  REGION= MODEL= (demo against the real service)  PREFIX= DESTDIR="

deps: ## install what building and testing needs (Debian packages)
	@tests/install-dependencies build

all: $(OUT)/invlog $(OUT)/invlog_sqlite.so ## build the agent and the SQLite extension

# --- products ---------------------------------------------------------------------------------------------------
$(OUT)/invlog: $(OBJ)/agent/main.o $(OUT)/libagent.a $(OUT)/libexporters.a $(OUT)/libstorage.a
	$(call say,link   )$(CXX) $(LDFLAGS) -o $@ $^ $(AGENT_LIBS) $(EXPORTERS_LIBS) $(STORAGE_LIBS)

$(OUT)/libstorage.a: $(call objects,$(STORAGE_UNITS))
$(OUT)/libexporters.a: $(call objects,$(EXPORTERS_UNITS))
$(OUT)/libagent.a: $(call objects,$(AGENT_UNITS))
$(eval $(call with_precompiled,$(call objects,$(filter-out $(ALONE),$(AGENT_UNITS))),$(PRECOMPILED)))
$(OUT)/lib%.a:
	@mkdir -p $(@D)
	@rm -f $@
	$(call say,archive)ar rcs $@ $^

# The extension lives in foreign processes: position-independent, its own symbols hidden, SQLite taken from its host. Only what
# it needs of the store is compiled for it; `-z defs` tells what is missing here.
EXTENSION_SOURCES := $(patsubst %,storage/%.cpp,base64 details_match disk_refusal functions host_history integrity json_escapes json_writer \
                     label_table reader record_json record record_row request_keys retention_base schema segment_cache segment_decoder statement \
                     store_file text_matcher time_text uuid)
EXTENSION_OBJECTS := $(patsubst %.cpp,build/obj/extension-$(VARIANT)/%.o,storage/extension.cpp $(call units,extension,$(EXTENSION_SOURCES)))
$(OUT)/invlog_sqlite.so: $(EXTENSION_OBJECTS)
	$(call say,link   )$(CXX) -shared -pthread $(if $(SANITIZE),-fsanitize=$(SANITIZE)) -Wl,-z,relro,-z,now,--gc-sections$(if $(SANITIZE),,$(comma)-z$(comma)defs) -o $@ $^ $(filter-out -lsqlite3,$(STORAGE_LIBS))
build/obj/extension-$(VARIANT)/%.o: %.cpp
	@mkdir -p $(@D)
	$(call say,compile)$(CXX) $(CPPFLAGS) -DINVLOG_SQLITE_EXTENSION $(filter-out -fPIE,$(CXXFLAGS)) -fPIC -fvisibility=hidden -ffunction-sections -c -o $@ $<

# GCC minds types of anonymous namespaces in a file that another one includes; here nothing else includes it.
$(OBJ)/$(UNITIES)/%.o build/obj/extension-$(VARIANT)/$(UNITIES)/%.o: CXXFLAGS += $(if $(SANITIZE),,-Wno-subobject-linkage)
$(OBJ)/%.o: %.cpp
	@mkdir -p $(@D)
	$(call say,compile)$(CXX) $(CPPFLAGS) $(CXXFLAGS) -c -o $@ $<

# --- tests ------------------------------------------------------------------------------------------------------
# One test program per folder of tests/unit, so that a change in one part rebuilds one of them.
CATCH_LIBS := $(if $(wildcard /usr/include/catch2/catch_all.hpp),-lCatch2Main -lCatch2)
TEST_PROGRAMS := $(OUT)/tests/unit-storage $(OUT)/tests/unit-exporters $(OUT)/tests/unit-agent $(OUT)/tests/integration
# What tests of more than one program use.
SHARED_BY_TESTS := tests/unit/storage/temporary_store.cpp tests/unit/exporters/fake_destination.cpp
test_objects = $(call objects,$(call units,$(1),$(filter-out $(SHARED_BY_TESTS) $(2),$(call sources,$(1)))))
DELIVERY_MODEL := tests/unit/exporters/model
EXPORTERS_TESTS   := $(call test_objects,tests/unit/exporters,$(DELIVERY_MODEL)/%)
AGENT_TESTS       := $(call test_objects,tests/unit/agent)
INTEGRATION_TESTS := $(call test_objects,tests/integration)
$(eval $(call with_precompiled,$(EXPORTERS_TESTS) $(AGENT_TESTS) $(INTEGRATION_TESTS),$(PRECOMPILED_TEST)))
$(OUT)/tests/unit-storage: $(call test_objects,tests/unit/storage) $(call objects,tests/unit/storage/temporary_store.cpp) $(OUT)/libstorage.a
$(OUT)/tests/unit-exporters: $(EXPORTERS_TESTS) $(call test_objects,$(DELIVERY_MODEL)) $(call objects,$(SHARED_BY_TESTS)) $(OUT)/libexporters.a $(OUT)/libstorage.a
$(OUT)/tests/unit-agent: $(AGENT_TESTS) $(call objects,$(SHARED_BY_TESTS)) $(OUT)/libagent.a $(OUT)/libexporters.a $(OUT)/libstorage.a
$(OUT)/tests/integration: $(INTEGRATION_TESTS) $(OUT)/libagent.a $(OUT)/libexporters.a $(OUT)/libstorage.a
$(TEST_PROGRAMS): $(OBJ)/tests/test_main.o
	@mkdir -p $(@D)
	$(call say,link   )$(CXX) $(LDFLAGS) -o $@ $^ $(CATCH_LIBS) -lbrotlienc $(AGENT_LIBS) $(EXPORTERS_LIBS) $(STORAGE_LIBS)

test: ## install what is missing, build, and run the unit and integration tests and the SDK-free end-to-end tests
	@tests/install-dependencies build
	@$(MAKE) --no-print-directory -j$$(nproc) all test-programs
	@tests/run-tests $(OUT)
.PHONY: test-programs
test-programs: $(TEST_PROGRAMS)

check: ## format, tidy, sanitizers, fuzzers, end-to-end with real SDKs, crash tests (long)
	@tests/check

demo: ## install what is missing, build, and show the main job end to end without an AWS account
	@tests/install-dependencies build
	@$(MAKE) --no-print-directory -j$$(nproc) all
	@tests/demo $(if $(REGION),--region $(REGION)) $(if $(MODEL),--model $(MODEL))

bench: ## measure speed and size against nginx and gzip in one run; prints a table, writes build/bench.json
	@tests/install-dependencies bench
	@$(MAKE) --no-print-directory -j$$(nproc) all bench-programs
	@tests/bench/run
.PHONY: bench-programs
BENCH_PROGRAMS := $(patsubst tests/bench/%.cpp,build/bench/%,$(wildcard tests/bench/bench_*.cpp))
bench-programs: $(BENCH_PROGRAMS)
BENCH_SHARED := $(call objects,$(filter-out tests/bench/bench_%,$(call sources,tests/bench)))
build/bench/%: $(OBJ)/tests/bench/%.o $(BENCH_SHARED) $(OUT)/libagent.a $(OUT)/libexporters.a $(OUT)/libstorage.a
	@mkdir -p $(@D)
	$(call say,link   )$(CXX) $(LDFLAGS) -o $@ $^ $(AGENT_LIBS) $(EXPORTERS_LIBS) $(STORAGE_LIBS)
.SECONDARY:

# --- fuzzing (clang's libFuzzer) --------------------------------------------------------------------------------
# Linked from what the address and undefined sanitizers' build compiled; `make fuzz` has a faster one of its own.
FUZZ_SECONDS ?= 600
FUZZERS := $(patsubst tests/fuzz/%.cpp,$(OUT)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.cpp))
fuzz: ## run each fuzz target for FUZZ_SECONDS (600)
	@tests/install-dependencies check
	@$(MAKE) --no-print-directory -j$$(nproc) SANITIZE=address,undefined OPTIMIZED=1 fuzzers
	@tests/fuzz/run build/address-undefined-optimized/fuzz $(FUZZ_SECONDS)
.PHONY: fuzzers
fuzzers: $(FUZZERS)
$(OUT)/fuzz/%: $(OBJ)/tests/fuzz/%.o $(OUT)/libagent.a $(OUT)/libexporters.a $(OUT)/libstorage.a
	@mkdir -p $(@D)
	$(call say,link   )$(CXX) -fsanitize=fuzzer,address,undefined -pthread -o $@ $^ $(AGENT_LIBS) $(EXPORTERS_LIBS) $(STORAGE_LIBS)

# --- style ------------------------------------------------------------------------------------------------------
CODE := $(shell find agent storage exporters tests -name '*.cpp' -o -name '*.h')
format: ## rewrite the sources in the project's style
	@$(CLANG_FORMAT) -i $(CODE)
.PHONY: check-format
check-format:
	@$(CLANG_FORMAT) --version
	@$(CLANG_FORMAT) --dry-run --Werror $(CODE)
# In the groups in which they are compiled: the headers, most of the time, are then read once for each.
tidy: ## clang-tidy's few checks over every source file of the product
	@printf '%s\n' $(STORAGE_UNITS) storage/extension.cpp $(EXPORTERS_UNITS) $(AGENT_UNITS) agent/main.cpp | \
	  xargs -P $$(nproc) -I{} $(CLANG_TIDY) --quiet {} -- -std=c++20 $(filter-out -MMD -MP,$(CPPFLAGS))

# --- install ----------------------------------------------------------------------------------------------------
PREFIX      ?= /usr/local
BINDIR      ?= $(PREFIX)/bin
LIBDIR      ?= $(PREFIX)/lib
DATADIR     ?= $(PREFIX)/share
UNITDIR     ?= $(PREFIX)/lib/systemd/system
SYSUSERSDIR ?= $(PREFIX)/lib/sysusers.d
EXAMPLEDIR  ?= $(DATADIR)/doc/invlog/examples
UNITS       := invlog.service invlog@.service invlog.socket invlog@.socket invlog-proxy.socket
EXAMPLES    := $(patsubst systemd/examples/%,%,$(shell find systemd/examples -type f))
MANUALS     := build/manual/invlog.1 build/manual/invlog.toml.5
# What the program and the example say of themselves, as manual pages and for the shell's completion.
$(MANUALS) build/manual/invlog.bash: build/manual/%: systemd/package/manual build/invlog systemd/invlog.toml
	@mkdir -p $(@D)
	$(call say,write  )systemd/package/manual $(@F) build/invlog systemd/invlog.toml > $@
INSTALLED   := $(BINDIR)/invlog $(LIBDIR)/invlog_sqlite.so $(DATADIR)/invlog/invlog.toml $(UNITS:%=$(UNITDIR)/%) \
               $(SYSUSERSDIR)/invlog.conf $(DATADIR)/man/man1/invlog.1 $(DATADIR)/man/man5/invlog.toml.5 \
               $(DATADIR)/bash-completion/completions/invlog $(EXAMPLES:%=$(EXAMPLEDIR)/%)
install: all $(MANUALS) build/manual/invlog.bash ## install the program, the SQLite extension, units, manual, completion and examples under PREFIX
	install -D -m 755 build/invlog $(DESTDIR)$(BINDIR)/invlog
	install -D -m 644 build/invlog_sqlite.so $(DESTDIR)$(LIBDIR)/invlog_sqlite.so
	install -D -m 644 systemd/invlog.toml $(DESTDIR)$(DATADIR)/invlog/invlog.toml
	for unit in $(UNITS); do source=systemd/$$unit; [ -e $$source ] || source=$$source.in; \
	  sed 's|@BINDIR@|$(BINDIR)|g' $$source | install -D -m 644 /dev/stdin $(DESTDIR)$(UNITDIR)/$$unit || exit 1; done
	install -D -m 644 systemd/invlog.sysusers $(DESTDIR)$(SYSUSERSDIR)/invlog.conf
	install -D -m 644 build/manual/invlog.1 $(DESTDIR)$(DATADIR)/man/man1/invlog.1
	install -D -m 644 build/manual/invlog.toml.5 $(DESTDIR)$(DATADIR)/man/man5/invlog.toml.5
	install -D -m 644 build/manual/invlog.bash $(DESTDIR)$(DATADIR)/bash-completion/completions/invlog
	for example in $(EXAMPLES); do install -D -m 644 systemd/examples/$$example $(DESTDIR)$(EXAMPLEDIR)/$$example || exit 1; done
# What root had to build first is its who has the sources: they build here again. (With DESTDIR a package may lie below build/.)
ifeq ($(DESTDIR),)
	@[ "$$(id -u)" != 0 ] || chown -R --no-dereference --reference=. build
endif
uninstall: ## remove what install put there (data and configuration stay)
	rm -f $(addprefix $(DESTDIR),$(INSTALLED))
deb: ## build build/invlog_VERSION_ARCHITECTURE.deb
	@tests/install-dependencies deb
	@$(MAKE) --no-print-directory -j$$(nproc) all
	@systemd/package/build
clean: ## remove build/
	rm -rf build

-include $(shell find build/obj -name '*.d' 2>/dev/null)
