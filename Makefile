# ml_score: a PostgreSQL extension, built with PGXS.
#
#   make && make install          needs pg_config on PATH (or PG_CONFIG=...), libcurl, OpenSSL, zlib
#   make test / demo / bench      everything else: installs what it needs, see README.md
#   make lint                     -Werror on gcc and clang, clang-format, cppcheck

MODULE_big = ml_score
EXTENSION = ml_score
DATA = $(wildcard $(srcdir)/extension/ml_score--*.sql) $(wildcard $(srcdir)/extension/monitoring/*)
PGFILEDESC = "ml_score - score rows with machine-learning models"

SRCDIRS = src src/auth src/batch src/catalog src/codec src/drift src/inference src/monitor src/report src/runs src/scoring src/stream src/telemetry src/transport src/watch src/worker
srcdir ?= .
SOURCES = $(sort $(foreach d,$(SRCDIRS),$(wildcard $(srcdir)/$(d)/*.c)))
OBJS = $(patsubst $(srcdir)/%.c,%.o,$(SOURCES))

REGRESS = test_setup $(filter-out test_setup, $(sort $(basename $(notdir $(wildcard $(srcdir)/sql/*.sql)))))
REGRESS_OPTS = --inputdir=$(srcdir)

PG_CONFIG ?= pg_config
PG_INCLUDES := $(shell $(PG_CONFIG) --includedir-server)

# PostgreSQL's own headers are not ours to lint: -isystem keeps -Wshadow and friends to this project's code.
WARNINGS = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wno-unused-parameter -Wno-missing-field-initializers \
	-Wno-sign-compare -Wno-declaration-after-statement -Wno-implicit-fallthrough
# Before PostgreSQL 16, PGDLLEXPORT says nothing of visibility.
PG_CPPFLAGS = -isystem $(PG_INCLUDES) -I$(srcdir)/src '-DPGDLLEXPORT=__attribute__((visibility("default")))'
PG_CFLAGS = $(WARNINGS) -fvisibility=hidden $(EXTRA_CFLAGS)
SHLIB_LINK = -lcurl -lrdkafka -lssl -lcrypto -lz

PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

# PGXS may track no headers (Debian's does not), and an object that knows an older layout of a struct crashes.
HEADERS = $(foreach d,$(SRCDIRS),$(wildcard $(srcdir)/$(d)/*.h))
$(OBJS) $(OBJS:.o=.bc): $(HEADERS)

# What needs more than a compiler; each installs what it lacks.
.PHONY: test demo bench lint
test:
	$(srcdir)/tests/run.sh
demo:
	$(srcdir)/tests/demo.sh
bench:
	@status=0; for part in run batch streams; do $(srcdir)/tests/bench/$$part.sh || status=1; done; exit $$status
lint:
	$(srcdir)/tests/lint.sh
